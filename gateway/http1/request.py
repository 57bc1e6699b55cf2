"""One request of a connection: its body as it arrives, and the framing of its response."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.errors import Headers, went_away
from gateway.exchange import Exchange, Head
from gateway.http1.response import CHUNKED, CLOSE, CONTINUE, KEEP_ALIVE, LAST_CHUNK, chunk, head

_BUFFERED = 64 * 1024


class Line(Protocol):
    """The connection that a request came on."""

    @property
    def ending(self) -> bool:
        """Whether the response that comes next is the last one."""

    def send(self, data: bytes) -> None:
        """Send data; nothing happens once the client is gone."""

    async def room(self) -> None:
        """Wait while the client is slower than we are."""

    def hold(self) -> None:
        """Read no more for now."""

    def go_on(self) -> None:
        """Read on."""

    def cut(self) -> None:
        """Close without regard; nothing happens once the client is gone."""

    def answered(self, request: Request) -> None:
        """Note that the response is complete."""


class Request:
    """A request whose head is complete; the client's side of its exchange.

    Attributes:
        keep_alive: whether the connection may serve another request after this one.
        arrived: whether all of the body is here.
        done: whether the response is complete.
        expects: whether the client waits for "100 Continue" before it sends the body.
    """

    __slots__ = (
        "_chunked",
        "_line",
        "_modern",
        "_parts",
        "_size",
        "_waiter",
        "arrived",
        "done",
        "exchange",
        "expects",
        "keep_alive",
    )

    def __init__(self, line: Line, message: Head, *, keep_alive: bool, modern: bool) -> None:
        self._line = line
        self._parts: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = False
        self._modern = modern
        self.keep_alive = keep_alive
        self.arrived = False
        self.done = False
        self.exchange = exchange = Exchange(message, self)
        headers = exchange.headers
        self.expects = modern and b"expect" in headers and headers[b"expect"].lower() == b"100-continue"

    @property
    def probeable(self) -> bool:
        """Whether an interim response may be sent now."""
        return self._modern and not self.exchange.begun

    def received(self, data: bytes) -> None:
        """Take a piece of the body; it is dropped when nobody wants it any more."""
        self.expects = False
        if self.done:
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > _BUFFERED:
            self._line.hold()
        if self._waiter is not None:
            self._wake()

    def complete(self) -> None:
        """Note that all of the body is here."""
        self.arrived = True
        self.expects = False
        if self._waiter is not None:
            self._wake()

    def lost(self) -> None:
        """Note that the client is gone, or will not send the rest of the body."""
        self.exchange.abort(went_away(), gone=True)

    def ended(self, error: BaseException | None) -> None:
        """Note that nothing more will come; there is no other way to tell a client of a response that is not complete.

        What serves an exchange is asked to raise nothing; if it does, the loop's handler is told.
        """
        self.exchange.over()
        if not self.done:
            self._line.cut()
        if error is not None and not isinstance(error, asyncio.CancelledError):
            context = {"message": "serving a request failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def task_ended(self, task: asyncio.Task[None]) -> None:
        """Note that the task which served the exchange has ended."""
        self.ended(None if task.cancelled() else task.exception())

    def whole(self) -> bytes | None:
        """Return the body if all of it is here."""
        if not self.arrived:
            return None
        parts, self._parts = self._parts, []
        if self._size > _BUFFERED:
            self._line.go_on()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def piece(self) -> bytes:
        """Wait for more of the body; b"" at its end. A client that waits for leave to send it gets that now."""
        if self.expects:
            self.expects = False
            self._line.send(CONTINUE)
        while not self._parts:
            if self.arrived:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        parts, self._parts = self._parts, []
        if self._size > _BUFFERED:
            self._line.go_on()
        self._size = 0
        return b"".join(parts)

    def answer(self, status: int, fields: Headers, body: bytes) -> None:
        """Send a whole response."""
        if self.done:
            return
        self._line.send(self._head(status, fields) + body)
        self._end()

    async def begin(self, status: int, fields: Headers) -> None:
        """Send the head of a response that comes in chunks, or until the connection is closed for old clients."""
        if self.done:
            return
        self._chunked = self._modern
        if self._modern:
            fields.append(CHUNKED)
        else:
            self.keep_alive = False
        self._line.send(self._head(status, fields))

    async def write(self, data: bytes, *, last: bool) -> None:
        """Send a part of the body."""
        if self.done:
            return
        if self._chunked:
            data = chunk(data)
            if last:
                data += LAST_CHUNK
        self._line.send(data)
        if last:
            self._end()
        else:
            await self._line.room()

    def _head(self, status: int, fields: Headers) -> bytes:
        # only an error, or what any response gets in addition, asks for it
        if (status >= 400 or self.exchange.extra) and CLOSE in fields:
            self.keep_alive = False
        elif not self.keep_alive or self._line.ending or self.expects:
            # after a last word instead of "100 Continue" nobody knows whether a body or a request comes next
            self.keep_alive = False
            fields.append(CLOSE)
        elif not self._modern:
            fields.append(KEEP_ALIVE)
        return head(status, fields)

    def _end(self) -> None:
        self.done = True
        self._parts.clear()
        self._line.answered(self)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
