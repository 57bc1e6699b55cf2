"""Response heads and chunks as bytes. Knows nothing of connections."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus

from gateway.errors import Headers

CLOSE = (b"connection", b"close")
KEEP_ALIVE = (b"connection", b"keep-alive")
CHUNKED = (b"transfer-encoding", b"chunked")
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_GONE = 499


def _line(status: int, phrase: str) -> bytes:
    return b"HTTP/1.1 %d %s\r\ndate: " % (status, phrase.encode())


_LINES = {status.value: _line(status.value, status.phrase) for status in HTTPStatus}
_LINES[_GONE] = _line(_GONE, "Client Closed Request")


class _Date:
    """The time as headers tell it, made once a second."""

    def __init__(self) -> None:
        self._until = 0
        self._text = b""

    def now(self) -> bytes:
        now = time.time()
        if not self._until - 1 <= now < self._until:
            second = int(now)
            self._until = second + 1
            self._text = formatdate(second, usegmt=True).encode() + b"\r\n"
        return self._text


_date = _Date()


def head(status: int, fields: Headers) -> bytes:
    """Return a status line and headers, Date added, with the empty line behind them."""
    line = _LINES.get(status) or _line(status, "")
    return b"".join((line, _date.now(), b"\r\n".join(map(b": ".join, fields)), b"\r\n\r\n"))


def chunk(data: bytes) -> bytes:
    """Return data, which may be empty, as a chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
