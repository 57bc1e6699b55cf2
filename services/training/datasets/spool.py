"""Rows that come in any order and are to go out newest first: their bytes on disk, their times in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

_BATCH: Final = 256


class Spool:
    """Up to ``most`` rows in a file of its own; a context manager that removes the file."""

    def __init__(self, path: Path, most: int) -> None:
        """Begin without rows."""
        self._path = path
        self._most = most
        self._rows: list[tuple[float, int, int]] = []
        self._end = 0
        self._file: BinaryIO | None = None

    def add(self, rows: list[tuple[float, bytes]]) -> None:
        """Add rows with the Unix seconds of each. Blocks."""
        assert self._file is not None
        for seconds, line in rows:
            self._file.write(line)
            self._rows.append((seconds, self._end, len(line)))
            self._end += len(line)
        if len(self._rows) > 2 * self._most:
            self._cut()

    async def newest(self) -> AsyncGenerator[bytes]:
        """Yield the newest rows, newest first."""
        self._cut()
        for start in range(0, len(self._rows), _BATCH):
            yield await asyncio.to_thread(self._read, start)

    async def __aenter__(self) -> Self:
        """Open the file."""
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Close and remove the file."""
        await asyncio.to_thread(self._close)

    def _cut(self) -> None:
        # of rows of the same time, those that came first
        self._rows.sort(key=lambda row: (-row[0], row[1]))
        del self._rows[self._most :]

    def _read(self, start: int) -> bytes:
        assert self._file is not None
        parts = []
        for _, offset, length in self._rows[start : start + _BATCH]:
            self._file.seek(offset)
            parts.append(self._file.read(length))
        return b"".join(parts)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w+b")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)
