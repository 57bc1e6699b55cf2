"""The files of web pages that are shipped with the gateway."""

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
    """One file: the path that it is served at, its media type, and where it is."""

    path: str
    content_type: bytes
    file: Traversable

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self.file.read_bytes()


def assets_of(package: str, page: str, folder: str) -> Sequence[Asset]:
    """Return the files in a package's folder ``static``, the page itself first.

    Args:
        package: the package's name.
        page: the path that ``index.html`` is served at.
        folder: the path under which all other files are served.
    """
    found = [file for file in (files(package) / "static").iterdir() if file.is_file()]
    ordered = sorted(found, key=lambda file: (file.name != PAGE, file.name))
    return [_asset(file, page if file.name == PAGE else f"{folder}/{file.name}") for file in ordered]


def _asset(file: Traversable, path: str) -> Asset:
    return Asset(path, CONTENT_TYPES[file.name[file.name.rindex(".") :]], file)
