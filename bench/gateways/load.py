"""The load: one HTTP connection that asks again as soon as it is answered, in as little code as can be."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.gateways.bodies import DELTAS


class Connection(asyncio.Protocol):
    """Sends one request over and over until a deadline and notes how long each answer took, in seconds."""

    def __init__(self, request: bytes, deadline: float, took: list[float], streams: bool) -> None:
        self._request = request
        self._deadline = deadline
        self._took = took
        self._streams = streams
        self._answer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer."""
        self._answer += data
        if not self._complete():
            return
        if not self._answer.startswith(b"HTTP/1.1 200") or (self._streams and self._answer.count(b"data: ") != DELTAS):
            self.done.set_exception(RuntimeError(f"a bad answer: {self._answer[:1000]!r}"))
            return
        now = time.perf_counter()
        self._took.append(now - self._sent)
        if now < self._deadline:
            self._send()
        else:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if the answer was not complete."""
        if not self.done.done():
            self.done.set_exception(RuntimeError("the gateway closed the connection"))

    def _send(self) -> None:
        self._answer = b""
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def _complete(self) -> bool:
        if self._streams:
            return self._answer.endswith(b"0\r\n\r\n")
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return False
        return len(body) >= int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
