"""file: URLs: files of this machine within the configured folders, wherever links lead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from mesh.errors import InvalidField
from services.training.datasets.sources import Opened

_CHUNK: Final = 1024 * 1024


class Folders:
    """Reads files below some folders; none by default."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        """Keep the folders."""
        self._roots = roots

    @asynccontextmanager
    async def open(self, url: str, path: str) -> AsyncGenerator[Opened]:
        """Open a file.

        Raises:
            InvalidField: there is no such file within the folders.
        """
        file = await asyncio.to_thread(self._open, url, path)
        try:
            yield Opened(chunks(file), name=urlsplit(url).path)
        finally:
            await asyncio.to_thread(file.close)

    def _open(self, url: str, path: str) -> BinaryIO:
        # whether a file is there is nobody's business outside the folders
        refused = InvalidField(path, "a file within the configured folders is needed")
        try:
            parts = urlsplit(url)
            if parts.netloc not in {"", "localhost"}:
                raise InvalidField(path, "a file: URL names no host")
            found = Path(unquote(parts.path)).resolve(strict=True)
            if not found.is_file() or not any(found.is_relative_to(root.resolve()) for root in self._roots):
                raise refused
            return found.open("rb")
        except (OSError, ValueError) as error:
            raise refused from error


async def chunks(file: BinaryIO) -> AsyncGenerator[bytes]:
    """Yield the bytes of a file; reading blocks a thread alone."""
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk
