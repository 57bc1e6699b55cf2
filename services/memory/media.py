"""Finding out what a document is: from the type that was told, the name, and the first bytes."""

from __future__ import annotations

from mimetypes import MimeTypes
from typing import Final

from mesh.errors import InvalidField

TEXT: Final = "text/plain"
MARKDOWN: Final = "text/markdown"
HTML: Final = "text/html"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
JSON: Final = "application/json"
PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
READABLE: Final = "text of any kind, Markdown, HTML, CSV, JSON, PDF and DOCX"

_NAMES: Final = MimeTypes(filenames=())
for _suffix, _type in {".md": MARKDOWN, ".markdown": MARKDOWN, ".docx": DOCX, ".jsonl": "application/jsonl"}.items():
    _NAMES.add_type(_type, _suffix)
_ALIASES: Final = {"application/xhtml+xml": HTML, "text/x-markdown": MARKDOWN, "application/csv": CSV}
_TEXTUAL: Final = frozenset(
    {
        "application/javascript",
        "application/jsonl",
        "application/sql",
        "application/toml",
        "application/x-httpd-php",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_UNKNOWN: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_HTML_STARTS: Final = (b"<!doctype html", b"<html")


def is_textual(media_type: str) -> bool:
    """Return whether a document of this type is text."""
    plain = essence(media_type)
    return plain.startswith("text/") or plain in _TEXTUAL or plain == JSON or plain.endswith(("+json", "+xml"))


def essence(media_type: str) -> str:
    """Return a media type in lower case without its parameters, under its usual name."""
    plain = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def media_type(told: str, name: str, data: bytes) -> str:
    """Return a document's media type: as it was told, else by its name's ending, else by its first bytes.

    Raises:
        InvalidField: it is not one that text can be read from.
    """
    found = essence(told)
    if found in _UNKNOWN:
        found = _sniffed(data) or essence(_NAMES.guess_type(name, strict=False)[0] or "")
    if found in _UNKNOWN:
        found = TEXT if b"\0" not in data[:8192] else "application/octet-stream"
    if found in {PDF, DOCX} or is_textual(found):
        return found
    raise InvalidField("mime_type", f"{found} can't be read; {READABLE} can")


def _sniffed(data: bytes) -> str:
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"%pdf-"):
        return PDF
    if start.startswith(b"pk\x03\x04") and b"word/" in data[:65536]:
        return DOCX
    return HTML if start.startswith(_HTML_STARTS) else ""
