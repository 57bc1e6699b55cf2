"""The page at /docs: an API reference made in the browser out of /openapi.json.

Plain HTML, CSS and JavaScript modules without any dependency; nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

PAGE = "index.html"
CONTENT_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page: the path that it is served at, its media type, and where it is."""

    path: str
    content_type: bytes
    file: Traversable

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self.file.read_bytes()


def assets() -> Sequence[Asset]:
    """Return every file of the page, the page itself (at /docs) first."""
    found = [file for file in (files(__package__) / "static").iterdir() if file.is_file()]
    return [_asset(file) for file in sorted(found, key=lambda file: (file.name != PAGE, file.name))]


def _asset(file: Traversable) -> Asset:
    path = "/docs" if file.name == PAGE else f"/docs/{file.name}"
    return Asset(path, CONTENT_TYPES[file.name[file.name.rindex(".") :]], file)
