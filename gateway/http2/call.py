"""One gRPC call on an HTTP/2 connection: its messages, its deadline and how it ended. Knows no frames.

See https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import unquote

import grpc
import grpc.aio

from gateway.http2.deadlines import Deadlines
from gateway.http2.frames import STREAM_WINDOW, unpack_message_start
from gateway.prompt import Prompt

Status = grpc.StatusCode
Done = Callable[["Http2Call"], None]
Metadata = Sequence[tuple[str, str | bytes]]

_PREFIX = 5
_NOTHING = memoryview(b"")
_WORTH_TELLING = STREAM_WINDOW // 4
_CODES = {code.value[0]: code for code in Status}
# what a proxy's answer means where there is no gRPC status
_HTTP = {
    "400": Status.INTERNAL,
    "401": Status.UNAUTHENTICATED,
    "403": Status.PERMISSION_DENIED,
    "404": Status.UNIMPLEMENTED,
    "429": Status.UNAVAILABLE,
    "502": Status.UNAVAILABLE,
    "503": Status.UNAVAILABLE,
    "504": Status.UNAVAILABLE,
}


class Carrier(Protocol):
    """The connection that a call runs on."""

    def taken(self, stream: int, size: int) -> None:
        """Let the peer send so many bytes more on a stream."""

    def reset(self, stream: int) -> None:
        """Tell the peer that nobody waits for a stream any more."""


class Connector(Protocol):
    """Gives calls a connection; at most ``largest`` bytes are taken as one message."""

    largest: int
    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines

    def begin(self, call: Http2Call) -> bool:
        """Put a call on a connection; False if there is none yet."""

    @property
    def reached(self) -> bool:
        """Whether there is a connection that takes calls, or took them until they were as many as it takes."""

    def connect(self) -> asyncio.Task[None]:
        """Make a connection; the task ends without an error where there is none to be had."""


class Http2Call:
    """A call under way; it begins with the first wait for a message.

    Attributes:
        path, request, metadata: what is sent.
        timeout: in seconds, None for no deadline.
        unsent: the part of the request that the peer had no room for yet.
        window: bytes that the peer still takes on this stream.
        status: how the call ended; None before that.
        refused: whether the peer is known not to have seen the call, so that it may be repeated.
    """

    __slots__ = (
        "_carrier",
        "_connector",
        "_deadline",
        "_done",
        "_error",
        "_messages",
        "_needed",
        "_partial",
        "_stream",
        "_untaken",
        "_waiter",
        "_whole",
        "metadata",
        "path",
        "refused",
        "request",
        "status",
        "timeout",
        "unsent",
        "window",
    )

    def __init__(
        self, connector: Connector, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> None:
        self.path = path
        self.request = request
        self.metadata = metadata
        self.timeout = timeout
        self.unsent = _NOTHING
        self.window = 0
        self.refused = False
        self._connector = connector
        self._carrier: Carrier | None = None
        self._stream = 0
        self._messages: list[bytes] = []
        self._partial: bytearray | None = None
        self._needed = _PREFIX
        self._untaken = 0
        self._whole = False
        self._waiter: asyncio.Future[None] | None = None
        self.status: Status | None = None
        self._error: grpc.aio.AioRpcError | None = None
        self._done: tuple[Done, ...] = ()
        self._deadline = None if timeout is None else connector.deadlines.add(self, timeout)

    async def read(self) -> Sequence[bytes]:
        """Wait for a message and return all that are there; none at the end.

        Raises:
            grpc.aio.AioRpcError: the call failed.
        """
        if not self._under_way():
            await self._connect()
        while not self._messages and self.status is None:
            await self._wait()
        self._take()
        if self._messages:
            messages, self._messages = self._messages, []
            return messages
        if self._error is not None:
            raise self._error
        return ()

    async def whole(self) -> bytes:
        """Wait for the end and return the one message.

        Raises:
            grpc.aio.AioRpcError: the call failed, or there was not one message.
        """
        self._whole = True
        if not self._under_way():
            await self._connect()
        while self.status is None:
            # nothing but the end is waited for, so that there is nothing to collect before going on
            self._waiter = waiter = Prompt(loop=self._connector.loop)
            await waiter
        if self._error is not None:
            raise self._error
        if len(self._messages) != 1:
            raise _error(Status.INTERNAL, "a unary call has one response")
        return self._messages[0]

    def cancel(self) -> None:
        """End the call now; a no-op once it has ended."""
        self.fail(Status.CANCELLED, "cancelled by the caller")

    def add_done_callback(self, done: Done) -> None:
        """Have a function called with this call when it has ended."""
        self._done += (done,)

    async def code(self) -> Status:
        """Return how the call ended, once it has."""
        while self.status is None:
            await self._wait()
        return self.status

    def attach(self, carrier: Carrier, stream: int, window: int) -> None:
        """Note where the call runs."""
        self._carrier, self._stream, self.window = carrier, stream, window

    def unsent_is(self, framed: bytes) -> None:
        """Note what the peer had no room for."""
        self.unsent = memoryview(framed)

    def received(self, data: bytes) -> None:
        """Take a piece of the stream of messages."""
        self._untaken += len(data)
        partial = self._partial
        if not partial and len(data) >= _PREFIX and len(data) == _PREFIX + (start := unpack_message_start(data))[1]:
            self._add(start[0], data[_PREFIX:])
        else:
            if partial is None:
                partial = self._partial = bytearray()
            partial += data
            if len(partial) >= self._needed:
                self._split(partial)
        if self._whole or not self._messages:
            if self._untaken >= _WORTH_TELLING:
                self._take()
        elif self._waiter is not None:
            self._wake()

    def headers(self, fields: dict[str, str], *, last: bool) -> None:
        """Take the headers or, as the last ones, the trailers."""
        status = fields.get(":status", "200")
        if last and fields.get("grpc-status") == "0" and status == "200":
            if self.status is None:
                self._end(Status.OK, None)
        elif status != "200":
            self.fail(_HTTP.get(status, Status.UNKNOWN), f"the service answered with HTTP status {status}")
        elif last:
            self._trailers(fields)

    def fail(self, code: Status, details: str, *, refused: bool = False) -> None:
        """End the call with an error from this side; a no-op once it has ended."""
        if self.status is None:
            self.refused = refused
            if self._carrier is not None:
                self._carrier.reset(self._stream)
            self._end(code, _error(code, details))

    def _trailers(self, fields: dict[str, str]) -> None:
        if self.status is not None:
            return
        number = fields.get("grpc-status", "")
        code = _CODES.get(int(number), Status.UNKNOWN) if number.isdigit() else Status.UNKNOWN
        if code is Status.OK:
            self._end(code, None)
            return
        packed = fields.get("grpc-status-details-bin")
        pairs = () if packed is None else (("grpc-status-details-bin", _binary(packed)),)
        self._end(code, _error(code, unquote(fields.get("grpc-message", "")), pairs))

    def _under_way(self) -> bool:
        """Return whether the call has begun, or ended, and begin it if there is a connection."""
        return self._carrier is not None or self.status is not None or self._connector.begin(self)

    async def _connect(self) -> None:
        # others may have taken all the calls that a new connection takes
        while self.status is None and not self._connector.begin(self):
            connecting = self._connector.connect()
            connecting.add_done_callback(self._wake)
            await self._wait()
            connecting.remove_done_callback(self._wake)
            if self.status is None and not self._connector.reached:
                self.refused = True
                self._end(Status.UNAVAILABLE, _error(Status.UNAVAILABLE, "the service takes no connections"))

    async def _wait(self) -> None:
        self._waiter = self._connector.loop.create_future()
        await self._waiter

    def _wake(self, _: object = None) -> None:
        waiter, self._waiter = self._waiter, None
        if type(waiter) is Prompt:
            waiter.fulfil()
        elif waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _take(self) -> None:
        if self._untaken >= _WORTH_TELLING and self._carrier is not None and self.status is None:
            self._carrier.taken(self._stream, self._untaken)
            self._untaken = 0

    def _split(self, data: bytearray) -> None:
        """Cut complete messages off what has come; the copy of the rest is made once for all of them."""
        position, size = 0, len(data)
        self._needed = _PREFIX
        while size - position >= _PREFIX:
            start = position + _PREFIX
            stop = start + int.from_bytes(data[position + 1 : start], "big")
            if stop - start > self._connector.largest:
                self._add(data[position], b"", stop - start)
                return
            if stop > size:
                self._needed = stop - position
                break
            self._add(data[position], bytes(data[start:stop]))
            position = stop
        del data[:position]

    def _add(self, compressed: int, message: bytes, size: int = 0) -> None:
        if compressed:
            self.fail(Status.INTERNAL, "a compressed message that was not asked for")
        elif (size or len(message)) > self._connector.largest:
            self.fail(Status.RESOURCE_EXHAUSTED, f"received message larger than max ({self._connector.largest})")
        else:
            self._messages.append(message)

    def late(self) -> None:
        """End the call because its deadline has passed."""
        self.fail(Status.DEADLINE_EXCEEDED, "the deadline has passed")

    def _end(self, code: Status, error: grpc.aio.AioRpcError | None) -> None:
        self.status, self._error = code, error
        if self._deadline is not None:
            self._deadline.discard(self)
        for done in self._done:
            done(self)
        # last, since whoever waits may go on at once
        self._wake()


def _error(code: Status, details: str, trailers: Sequence[tuple[str, bytes]] = ()) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details=details)


def _binary(text: str) -> bytes:
    """Return the value of a binary header, which may lack its padding; b"" for what is none."""
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""
