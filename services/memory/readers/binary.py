"""PDF and DOCX: their text with its pages or headings, as a process apart reads it."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from typing import Any, Final

from lxml import etree
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from services.memory.readers.markdown import Outline
from services.memory.readers.plain import MOST_CHARACTERS

_MOST_XML: Final = 64 * 1024 * 1024
_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_STYLE: Final = re.compile(r"heading ?([1-6])", re.IGNORECASE)


class Refused(Exception):
    """The file can't be read; the text says why."""


def read_pdf(data: bytes) -> dict[str, Any]:
    """Return the text of a PDF file with the offset of each page."""
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("the PDF file is encrypted")
        parts, pages, length = [], [], 0
        for number, page in enumerate(reader.pages, start=1):
            text = page.extract_text().strip() + "\n\n"
            pages.append((length, number))
            parts.append(text)
            length += len(text)
            if length > MOST_CHARACTERS:
                raise Refused("the PDF file has too much text")
    except PyPdfError as error:
        raise Refused("the PDF file is broken") from error
    return {"text": "".join(parts), "pages": pages, "sections": []}


def read_docx(data: bytes) -> dict[str, Any]:
    """Return the text of a DOCX file, one paragraph per line, with its headings."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            part = archive.getinfo("word/document.xml")
            if part.file_size > _MOST_XML:
                raise Refused("the DOCX file is too large when it is unpacked")
            with archive.open(part) as member:
                return _paragraphs(member.read(_MOST_XML))
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError, NotImplementedError, RuntimeError) as error:
        raise Refused("the DOCX file is broken or encrypted") from error


def _paragraphs(xml: bytes) -> dict[str, Any]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    outline, parts, length = Outline(), [], 0
    root = etree.fromstring(xml, parser)
    for old in root.findall(f".//{_FALLBACK}"):
        # what it holds stands before it already, for programs that can show it
        old.clear()
    for paragraph in root.iter(f"{_W}p"):
        nodes = paragraph.iter(f"{_W}t", f"{_W}tab", f"{_W}br")
        # those of a text box belong to its own paragraphs
        text = "".join(_run(node) for node in nodes if next(node.iterancestors(f"{_W}p")) is paragraph).strip()
        if not text:
            continue
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        if style is not None and (level := _STYLE.match(str(style.get(f"{_W}val", "")))):
            outline.add(length, int(level[1]), text)
        parts.append(f"{text}\n\n")
        length += len(text) + 2
    return {"text": "".join(parts), "pages": [], "sections": outline.sections}


def _run(node: Any) -> str:
    return (node.text or "") if node.tag == f"{_W}t" else " "
