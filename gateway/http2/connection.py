"""One HTTP/2 connection to a service, shared by calls. Knows frames and flow control, no addresses."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import grpc

from gateway.http2 import frames
from gateway.http2.call import Http2Call
from gateway.http2.frames import (
    FIRST_WINDOW,
    FRAME_BYTES,
    LARGEST_WINDOW,
    START_BYTES,
    STREAM_WINDOW,
    frame,
    pack_start,
    pack_starts,
    unpack_start,
)
from mesh.errors import CANCELLED_BY_RUNTIME, STATUS_TRAILER
from mesh.metadata import IDENTITY, REQUEST_ID
from mesh.telemetry.trace import TRACEPARENT
from mesh.transport import CLIENT_TIMEOUT_S, KEEPALIVE_S, METADATA_BYTES

_TABLE, _PUSH, _STREAMS, _WINDOW, _HEADER_LIST = 1, 2, 3, 4, 6
_CANCEL = (8).to_bytes(4, "big")
_UNITS = ((10**8, 1e6, b"u"), (10**8, 1e3, b"m"), (10**8, 1, b"S"))
# what a reset says, where it says something
_RESETS = {
    7: grpc.StatusCode.UNAVAILABLE,
    8: grpc.StatusCode.CANCELLED,
    11: grpc.StatusCode.RESOURCE_EXHAUSTED,
    12: grpc.StatusCode.PERMISSION_DENIED,
}
_REFUSED = 7
_CANCELLED = str(grpc.StatusCode.CANCELLED.value[0])
FAREWELL_S = 1.0
"""Seconds around GOAWAY in which the gRPC runtime drops calls that nobody has seen; servers give others longer."""
# what goes along with nearly every call, and is known to be no binary header
_TEXTS = frozenset((REQUEST_ID, TRACEPARENT))


class Connection(asyncio.Protocol):
    """A connection; ``authority`` is the host that calls name.

    ``open`` is whether it takes calls at all, ``ready`` is done once the peer has said how many, or is gone.
    """

    def __init__(self, authority: str) -> None:
        self._authority = authority.encode()
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, Http2Call] = {}
        self._blocked: dict[int, Http2Call] = {}
        # ended as a leaving server ends what nobody has seen, though it has not said goodbye yet
        self._doubtful: list[Http2Call] = []
        self._next = 1
        self._rest = b""
        self._out: list[bytes] = []
        self._window = FIRST_WINDOW
        self._stream_window = FIRST_WINDOW
        self._limit = LARGEST_WINDOW
        self._untaken = 0
        self._block: tuple[int, int, bytes] | None = None
        # the headers that answers begin with; there is nothing to do for them but to know that all is well
        self._usual = b""
        self.open = False
        # when the peer said that it takes no more calls
        self._left: float | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._data,
            frames.HEADERS: self._headers,
            frames.CONTINUATION: self._continuation,
            frames.RST_STREAM: self._reset,
            frames.SETTINGS: self._settings,
            frames.PING: self._ping,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._more,
        }

    @property
    def usable(self) -> bool:
        """Whether one more call can begin here."""
        return self.open and len(self._calls) < self._limit and self._next < LARGEST_WINDOW

    def begin(self, call: Http2Call) -> None:
        """Send a call; ``usable`` has to be true."""
        stream, self._next = self._next, self._next + 2
        window = self._stream_window
        call.attach(self, stream, window)
        self._calls[stream] = call
        head, request = _head(self._authority, call), call.request
        size = len(request) + 5
        if len(head) <= FRAME_BYTES >= size <= window and size <= self._window:
            self._window -= size
            call.window -= size
            start = pack_start(len(head) << 8 | frames.HEADERS, frames.END_HEADERS, stream)
            body = pack_starts(size << 8 | frames.DATA, frames.END_STREAM, stream, 0, size - 5)
            self._send(b"".join((start, head, body, request)))
        else:
            call.unsent_is(b"\0" + (size - 5).to_bytes(4, "big") + request)
            self._send(frames.header_frames(stream, head))
            self._send_body(stream, call)

    def retire(self) -> None:
        """Take no more calls, and close when those under way have ended."""
        self.open = False
        self._close_if_idle()

    def close(self) -> None:
        """Close the connection and fail its calls."""
        if self._timer is not None:
            self._timer.cancel()
        self._lost("the connection was closed")
        self._flush()
        self._transport.close()

    def taken(self, stream: int, size: int) -> None:
        """Let the peer send so many bytes more on a stream."""
        self._send(frame(frames.WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big")))

    def reset(self, stream: int) -> None:
        """Tell the peer that nobody waits for a stream any more."""
        if self._forget(stream) is not None:
            self._send(frame(frames.RST_STREAM, 0, stream, _CANCEL))

    def connection_made(self, transport: Any) -> None:
        """Introduce ourselves."""
        self._transport: asyncio.Transport = transport
        values = {_TABLE: 0, _PUSH: 0, _WINDOW: STREAM_WINDOW, _HEADER_LIST: METADATA_BYTES}
        more = (LARGEST_WINDOW - FIRST_WINDOW).to_bytes(4, "big")
        self._send(frames.PREFACE + frames.settings(values) + frame(frames.WINDOW_UPDATE, 0, 0, more))
        self._timer = self._loop.call_later(KEEPALIVE_S, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way."""
        if self._timer is not None:
            self._timer.cancel()
        self._lost("the connection was lost")

    def data_received(self, data: bytes) -> None:
        """Take frames."""
        self._heard = True
        buffer = self._rest + data if self._rest else data
        position, end = 0, len(buffer)
        handlers = self._handlers
        try:
            while end - position >= START_BYTES:
                word, flags, stream = unpack_start(buffer, position)
                stop = position + START_BYTES + (word >> 8)
                if stop > end:
                    break
                handler = handlers.get(word & 255)
                if handler is not None:
                    handler(flags, stream & LARGEST_WINDOW, buffer[position + START_BYTES : stop])
                position = stop
        except (ValueError, IndexError):
            # the peer speaks no HTTP/2, and what follows can't be trusted
            self.open = False
            self._transport.abort()
        self._rest = buffer[position:] if position < end else b""

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        self._untaken += len(payload)
        if self._untaken > LARGEST_WINDOW // 2:
            self.taken(0, self._untaken)
            self._untaken = 0
        call = self._calls.get(stream)
        if call is not None:
            call.received(frames.payload_of(flags, payload) if flags & frames.PADDED else payload)
            if flags & frames.END_STREAM:
                self._forget(stream)
                call.fail(grpc.StatusCode.INTERNAL, "the service ended without a status")

    def _headers(self, flags: int, stream: int, payload: bytes) -> None:
        block = frames.payload_of(flags, payload) if flags & (frames.PADDED | frames.PRIORITY) else payload
        if not flags & frames.END_HEADERS:
            self._block = (stream, flags, block)
            return
        last = bool(flags & frames.END_STREAM)
        if block == self._usual and not last:
            return
        fields = frames.fields(block)
        if not last and fields.get(":status") == "200":
            self._usual = block
        call = self._calls.get(stream)
        if last and call is not None and _cancelled_by_runtime(fields):
            self._drop(stream, call, fields)
        elif call is not None:
            if last:
                self._forget(stream)
            call.headers(fields, last=last)

    def _drop(self, stream: int, call: Http2Call, fields: dict[str, str]) -> None:
        """End a call whose only headers say that the server's runtime cancelled it.

        The gRPC runtime cancels what reaches it between the beginning of its end and the second GOAWAY, before
        anything of the server has seen it; the first GOAWAY comes shortly before that, or after it. What the server
        did see is cancelled when its time to finish is over.
        """
        if self._left is None:
            # held before it is forgotten, because a connection that is retired closes once it has nothing left
            self._doubtful.append(call)
            self._loop.call_later(FAREWELL_S, self._believe, call, fields)
        self._forget(stream)
        if self._left is None:
            return
        if self._loop.time() - self._left < FAREWELL_S:
            _repeat(call)
        else:
            call.headers(fields, last=True)

    def _believe(self, call: Http2Call, fields: dict[str, str]) -> None:
        """End a call as its headers say, unless a goodbye has made them mean something else."""
        if call in self._doubtful:
            self._doubtful.remove(call)
            call.headers(fields, last=True)
            self._close_if_idle()

    def _continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream or len(self._block[2]) > 2 * METADATA_BYTES:
            raise ValueError("a continuation of nothing")
        _, first, block = self._block
        self._block = None
        plain = first & frames.END_STREAM
        self._headers(plain | flags & frames.END_HEADERS, stream, block + payload)

    def _reset(self, flags: int, stream: int, payload: bytes) -> None:
        call = self._forget(stream)
        if call is not None:
            reason = int.from_bytes(payload, "big")
            code = _RESETS.get(reason, grpc.StatusCode.INTERNAL)
            call.fail(code, f"the service reset the call ({reason})", refused=reason == _REFUSED)

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        values = frames.settings_of(payload)
        self._limit = values.get(_STREAMS, self._limit)
        window = values.get(_WINDOW, self._stream_window)
        for call in self._calls.values():
            call.window += window - self._stream_window
        self._stream_window = window
        self._send(frame(frames.SETTINGS, frames.ACK, 0, b""))
        if not self.ready.done():
            self.open = True
            self.ready.set_result(None)
        self._unblock()

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            self._send(frame(frames.PING, frames.ACK, 0, payload))

    def _goaway(self, flags: int, stream: int, payload: bytes) -> None:
        self.open = False
        if self._left is None:
            self._left = self._loop.time()
        last = int.from_bytes(payload[:4], "big") & LARGEST_WINDOW
        unseen, self._doubtful = self._doubtful, []
        # one that fails may end others
        for number in [number for number in self._calls if number > last]:
            if (call := self._calls.pop(number, None)) is not None:
                unseen.append(call)
        for call in unseen:
            _repeat(call)
        self._close_if_idle()

    def _more(self, flags: int, stream: int, payload: bytes) -> None:
        size = int.from_bytes(payload, "big") & LARGEST_WINDOW
        if stream == 0:
            self._window += size
        elif (call := self._calls.get(stream)) is not None:
            call.window += size
        if self._blocked:
            self._unblock()

    def _unblock(self) -> None:
        for stream, call in list(self._blocked.items()):
            self._send_body(stream, call)

    def _send_body(self, stream: int, call: Http2Call) -> None:
        while room := min(len(call.unsent), self._window, call.window, FRAME_BYTES):
            if room < 0:
                break
            piece, call.unsent = call.unsent[:room], call.unsent[room:]
            self._window -= room
            call.window -= room
            self._send(frame(frames.DATA, 0 if call.unsent else frames.END_STREAM, stream, bytes(piece)))
        if call.unsent:
            self._blocked[stream] = call
        else:
            self._blocked.pop(stream, None)

    def _forget(self, stream: int) -> Http2Call | None:
        if self._blocked:
            self._blocked.pop(stream, None)
        call = self._calls.pop(stream, None)
        if not self.open:
            self._close_if_idle()
        return call

    def _close_if_idle(self) -> None:
        if not (self.open or self._calls or self._doubtful):
            self._transport.close()

    def _send(self, data: bytes) -> None:
        if len(self._calls) == 1 and not self._out:
            # nobody to share a system call with
            self._write(data)
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out:
            self._write(b"".join(out))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _watch(self) -> None:
        """Ask a silent peer whether it is there, and give it up if it keeps silent."""
        heard, self._heard = self._heard, False
        if heard:
            self._timer = self._loop.call_later(KEEPALIVE_S, self._watch)
            return
        self._send(frame(frames.PING, 0, 0, bytes(8)))
        self._timer = self._loop.call_later(CLIENT_TIMEOUT_S, self._judge)

    def _judge(self) -> None:
        if self._heard:
            self._watch()
        else:
            self._transport.abort()

    def _lost(self, reason: str) -> None:
        self.open = False
        if not self.ready.done():
            self.ready.set_result(None)
        calls, self._calls = [*self._calls.values(), *self._doubtful], {}
        self._doubtful.clear()
        self._blocked.clear()
        for call in calls:
            call.fail(grpc.StatusCode.UNAVAILABLE, reason)


def _cancelled_by_runtime(fields: dict[str, str]) -> bool:
    """Return whether these headers are all of a call's and say what the runtime says, and no servicer of the mesh."""
    cancelled = fields.get("grpc-status") == _CANCELLED and fields.get("grpc-message") == CANCELLED_BY_RUNTIME
    return cancelled and ":status" in fields and STATUS_TRAILER not in fields


def _repeat(call: Http2Call) -> None:
    """End a call that the server has not seen."""
    call.fail(grpc.StatusCode.UNAVAILABLE, "the service goes away", refused=True)


def _head(authority: bytes, call: Http2Call) -> bytes:
    parts = [_start(authority, call.path, call.timeout)]
    for name, value in call.metadata:
        if name == IDENTITY:
            parts.append(_same(name, str(value)))
            continue
        plain = value.encode() if isinstance(value, str) else value
        if name not in _TEXTS and name.endswith("-bin"):
            plain = b64encode(plain)
        parts.append(frames.literal_start(name, len(plain)))
        parts.append(plain)
    return b"".join(parts)


@lru_cache(maxsize=256)
def _same(name: str, value: str) -> bytes:
    """Return a header that goes along with call after call."""
    return frames.literal(name, value.encode())


@lru_cache(maxsize=4096)
def _start(authority: bytes, path: str, timeout: float | None) -> bytes:
    """Return what calls of a method with a timeout begin with: POST and http by their numbers in the static table."""
    pairs = (
        (":path", path.encode()),
        (":authority", authority),
        ("te", b"trailers"),
        ("content-type", b"application/grpc"),
        ("user-agent", b"altiplano-gateway"),
    )
    start = b"\x83\x86" + b"".join([frames.literal(name, value) for name, value in pairs])
    return start if timeout is None else start + _timeout(timeout)


def _timeout(seconds: float) -> bytes:
    """Return the header of a timeout in the finest unit that has digits enough."""
    for limit, factor, unit in _UNITS:
        if seconds * factor < limit:
            return frames.literal("grpc-timeout", b"%d%b" % (max(1, int(seconds * factor)), unit))
    return frames.literal("grpc-timeout", b"99999999S")
