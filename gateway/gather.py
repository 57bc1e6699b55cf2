"""A transport that sends together what is written piece by piece, since each write by itself is a system call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

_FLUSH_BYTES = 64 * 1024


class GatheringTransport(asyncio.Transport):
    """Holds what is written until the event loop's next round, or until it is ``_FLUSH_BYTES``.

    The transport underneath does the rest, pausing a protocol that writes more than its client reads included.
    """

    def __init__(self, inner: asyncio.Transport) -> None:
        super().__init__()
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]  # passed through as it is
        self.is_closing = inner.is_closing  # type: ignore[method-assign]
        self.pause_reading = inner.pause_reading  # type: ignore[method-assign]
        self.resume_reading = inner.resume_reading  # type: ignore[method-assign]
        self.set_protocol = inner.set_protocol  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        """Send data soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _FLUSH_BYTES:
            self._flush()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send data soon."""
        for data in list_of_data:
            self.write(data)

    def close(self) -> None:
        """Close the connection when everything is sent."""
        self._flush()
        self._inner.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._pieces.clear()
        self._size = 0
        self._inner.abort()

    def _flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            if not self._inner.is_closing():
                self._inner.write(data)
