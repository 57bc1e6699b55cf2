"""One HTTP/1.1 connection: requests are parsed as they come, served one after the other, and answered in order.

httptools finds the boundaries of messages and refuses what is ambiguous (RFC 9112, 11.2); this module adds what it
leaves open: sizes, times, versions and repeated headers. There is one timer for a connection, which is moved only when
it is due, since most deadlines never come.

A client that sends its last request and closes its half of the connection still reads the answer; one that is gone
looks the same until something is sent to it. So it is sent interim responses, or a stream's heartbeats, which show it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Protocol

import httptools

from gateway.errors import BadHead, HeadTooSlow, failure_of
from gateway.exchange import Exchange
from gateway.http1.clock import Clock, Due
from gateway.http1.headers import HEAD_BYTES, demand_single, demand_small, head_too_large, joined
from gateway.http1.request import Request
from gateway.http1.response import CLOSE, CONTINUE, head
from gateway.http1.ride import Ride
from mesh.errors import MeshError

HEAD_S = 20.0
"""Seconds for a head, from its first byte on, and for the first byte of a connection."""
LINGER_S = 2.0
"""Seconds that the rest of a body is thrown away for, so that the client gets to read the answer."""

_PROBES_S = (0.05, 0.1, 0.5, 5.0)
_QUIET, _IN_HEAD, _IN_BODY = range(3)
# a head in two pieces that are no larger is within its limit
_LARGE = HEAD_BYTES // 2
_VERSIONS = {"1.1": True, "1.0": False}

Address = tuple[str, int]
Origin = Callable[[Address | None, Mapping[bytes, bytes]], Address | None]
Serve = Callable[[Exchange], Coroutine[Any, Any, None]]


class House(Protocol):
    """The server that connections belong to.

    ``serve_exchange`` serves one exchange, ``idle_s`` are the seconds that a connection is kept without a request,
    ``ending`` is whether the server takes no more requests. ``origin`` tells the address that a request came from by
    the peer's and by what trusted proxies say in the headers; None where none are trusted.
    """

    serve_exchange: Serve
    origin: Origin | None
    idle_s: float
    ending: bool

    def light(self, exchange: Exchange, /) -> bool:
        """Return whether serving an exchange, whose body is there, waits for futures of the event loop alone."""

    def entered(self, connection: HttpConnection) -> None:
        """Note a new connection."""

    def left(self, connection: HttpConnection) -> None:
        """Note that a connection is closed."""


class HttpConnection(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._peer: tuple[str, int] | None = None
        self._state = _QUIET
        self._url = b""
        self._pairs: list[tuple[bytes, bytes]] = []
        self._reading: Request | None = None
        self._running: Request | None = None
        self._waiting: deque[Request] = deque()
        self._broken: MeshError | None = None
        self._silence = 0
        self._unheard = b""
        self._large = self._progress = self._held = self._closed = self._half_closed = self._leaving = False
        self._room: asyncio.Future[None] | None = None
        self._clock = Clock(self._late)

    @property
    def ending(self) -> bool:
        """Whether the response that comes next is the last one."""
        return self._house.ending or (self._half_closed and not self._waiting)

    def connection_made(self, transport: Any) -> None:
        """Expect the first head; a client that connects and says nothing has as long as for a slow one."""
        self._transport = transport
        self._house.entered(self)
        peer = transport.get_extra_info("peername")
        self._peer = (peer[0], peer[1]) if isinstance(peer, tuple) else None
        self._clock.set(HEAD_S, Due.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that runs that its client is gone."""
        self._closed = True
        self._house.left(self)
        self._clock.stop()
        self._waiting.clear()
        self.resume_writing()
        if self._running is not None:
            self._running.lost()

    def eof_received(self) -> bool:
        """Go on without the client's half where a whole request waits for its answer."""
        if self._running is None or self._reading is not None or self._leaving:
            return False
        self._half_closed = True
        self._loop.call_later(_PROBES_S[0], self._probe, 1)
        return True

    def pause_writing(self) -> None:
        """Have parts of responses, and further requests, wait for the client."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """Go on."""
        room, self._room = self._room, None
        if room is not None:
            room.set_result(None)
            if self._running is None and not self._closed and not self._leaving:
                self._next()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and look at what is still missing."""
        if self._leaving or self._broken is not None:
            return
        rest = b""
        if len(data) > _LARGE or self._silence:
            # from here on each head is measured, which costs more than most of them need
            self._large = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            rest = self._unheard + data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, MeshError) else BadHead("this is not a valid HTTP request"))
        if self._waiting:
            if self._running is None and self._room is None:
                self._start(self._waiting.popleft())
            if self._waiting:
                self.hold()
        if rest:
            self.data_received(rest)
        elif (self._state != _QUIET or self._running is None) and self._broken is None:
            self._look(len(data))

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._state = _IN_HEAD
        self._url = b""
        self._pairs = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is never looked at."""
        self._pairs.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Begin to serve the request, or have it wait for its turn."""
        parser, pairs = self._parser, self._pairs
        modern = _VERSIONS.get(parser.get_http_version())
        if modern is None:
            raise BadHead("only HTTP/1.1 and HTTP/1.0 are spoken here")
        if self._large:
            demand_small(self._url, pairs)
        headers = dict(pairs)
        if len(headers) != len(pairs):
            demand_single(pairs)
            headers = joined(pairs)
        if modern and b"host" not in headers:
            raise BadHead("a request has a Host header")
        if b"transfer-encoding" in headers and headers[b"transfer-encoding"].strip().lower() != b"chunked":
            raise BadHead("the one transfer coding that is read is chunked")
        verb = parser.get_method().decode("latin-1")
        if verb == "CONNECT":
            raise BadHead("this is no proxy")
        if b"upgrade" in headers and parser.should_upgrade():
            # the wish is not granted; the parser takes the body for another protocol, so it gets the head once more
            lines = [b"%b: %b\r\n" % pair for pair in pairs if pair[0] != b"upgrade"]
            self._unheard = b"%b %b HTTP/1.1\r\n%b\r\n" % (verb.encode(), self._url, b"".join(lines))
            return
        path, query = target_of(self._url)
        peer = self._peer if self._house.origin is None else self._house.origin(self._peer, headers)
        message = verb, path, query, headers, peer
        request = Request(self, message, keep_alive=parser.should_keep_alive(), modern=modern)
        self._state = _IN_BODY
        self._progress = True
        self._reading = request
        self._waiting.append(request)

    def on_body(self, data: bytes) -> None:
        """Take a piece of a body."""
        self._progress = True
        if self._reading is not None:
            self._reading.received(data)

    def on_message_complete(self) -> None:
        """End a request."""
        self._state = _QUIET
        self._progress = True
        request, self._reading = self._reading, None
        if request is not None:
            request.complete()
            if request.done:
                self._next()

    def send(self, data: bytes) -> None:
        """Send data; nothing happens once the client is gone."""
        if not self._closed:
            self._transport.write(data)

    async def room(self) -> None:
        """Wait while the client is slower than we are."""
        if self._room is not None:
            await asyncio.shield(self._room)

    def hold(self) -> None:
        """Read no more for now."""
        if not self._held and not self._half_closed and not self._closed:
            self._held = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read on, unless requests wait already."""
        if self._held and not self._waiting and not self._half_closed and not self._closed:
            self._held = False
            self._transport.resume_reading()

    def answered(self, request: Request) -> None:
        """Turn to the next request, or away."""
        self._running = None
        if self._closed:
            return
        if not request.keep_alive:
            self._leave()
        elif request.arrived:
            self._next()
        else:
            # the rest of its body is thrown away as it comes
            self._clock.set(HEAD_S, Due.IDLE)
            self.go_on()

    def retire(self) -> None:
        """Close now if nothing is under way, else after the response."""
        if self._running is None and not self._waiting and not self._leaving:
            self._leave()

    def cut(self) -> None:
        """Close without regard; nothing happens once the client is gone."""
        if not self._closed:
            self._transport.abort()

    def _start(self, request: Request) -> None:
        self._running = request
        self._clock.due = None
        exchange = request.exchange
        served = self._house.serve_exchange(exchange)
        if request.arrived and self._house.light(exchange):
            ride = exchange.task = Ride(served, request.ended)
            ride.start()
        else:
            exchange.task = task = self._loop.create_task(served)
            task.add_done_callback(request.task_ended)

    def _next(self) -> None:
        """Begin the request that waits, or wait for one."""
        if self._room is not None:
            # resuming comes back here
            self._clock.set(self._house.idle_s, Due.CUT)
        elif self._waiting:
            self._start(self._waiting.popleft())
            self.go_on()
        elif self._broken is not None:
            self._say(self._broken)
        elif self._half_closed or self._house.ending:
            self._leave()
        elif self._running is None:
            in_head = self._state == _IN_HEAD
            self._clock.set(HEAD_S if in_head else self._house.idle_s, Due.HEAD if in_head else Due.IDLE)
            self.go_on()

    def _look(self, size: int) -> None:
        """Hold a message that is not complete to its limits, and empty lines between messages to its clock."""
        if self._running is None and self._state != _IN_BODY and self._clock.due is Due.IDLE:
            self._clock.set(HEAD_S, Due.HEAD)
        # what came together with the end of something else is not counted
        self._silence = 0 if self._progress else self._silence + size
        self._progress = False
        if self._silence > HEAD_BYTES:
            self._refuse(head_too_large())

    def _late(self, due: Due) -> None:
        if due is Due.HEAD:
            self._refuse(HeadTooSlow(f"the head did not arrive within {HEAD_S:g} seconds"))
        elif due is Due.IDLE:
            self._transport.close()
        else:
            self._transport.abort()

    def _refuse(self, error: MeshError) -> None:
        """Read no more; answer with the error when all requests before it are answered."""
        self._broken = error
        self.hold()
        reading, running = self._reading, self._running
        if reading is not None and reading in self._waiting:
            self._waiting.remove(reading)
        if running is None and not self._waiting:
            self._say(error)
        elif running is not None and running is reading:
            if running.exchange.begun:
                self._transport.abort()
            else:
                self._say(error)

    def _say(self, error: MeshError) -> None:
        """Answer with the error and close."""
        told = failure_of(error, openai=False)
        fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(told.body)), CLOSE]
        self.send(head(told.status, fields) + told.body)
        self._leave()

    def _leave(self) -> None:
        """Close when everything is sent; a client that still sends is heard out, else it may lose the answer."""
        unread = self._reading is not None or self._broken is not None
        self._leaving = True
        self._waiting.clear()
        running, self._running = self._running, None
        if running is not None:
            running.done = True
            running.lost()
        if unread and not self._half_closed and self._transport.can_write_eof():
            self._clock.set(LINGER_S, Due.CUT)
            self.go_on()
            self._transport.write_eof()
        else:
            self._clock.set(self._house.idle_s, Due.CUT)
            self._transport.close()

    def _probe(self, count: int) -> None:
        """Send something that shows whether a client that closed its half still has the other one."""
        if self._closed or self._running is None:
            return
        if self._running.probeable:
            self.send(CONTINUE)
        elif self._running.exchange.probe is not None:
            self._running.exchange.probe()
        self._loop.call_later(_PROBES_S[min(count, len(_PROBES_S) - 1)], self._probe, count + 1)


@lru_cache(maxsize=1024)
def target_of(url: bytes) -> tuple[str, bytes]:
    """Return path and query of a request's target, which may be a whole URL.

    Raises:
        BadHead: it is none.
    """
    if b"#" in url or (not url.startswith(b"/") and url != b"*"):
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError as error:
            raise BadHead("this is not a valid request target") from error
        return (parsed.path or b"/").decode("latin-1"), parsed.query or b""
    path, _, query = url.partition(b"?")
    return path.decode("latin-1"), query
