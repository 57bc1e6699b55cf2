"""One HTTP request and its response, as everything behind the front sees them. Knows ASGI, no gRPC and no JSON."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from random import randbytes
from typing import Any

from gateway.errors import Headers
from mesh.errors import MeshError

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_NO_BODY = frozenset({204, 304})


class Exchange:
    """A request with its response under way.

    Attributes:
        verb: the HTTP method in capitals.
        path: the path, still percent-encoded, without the query.
        query: the raw query string.
        headers: the request's headers, names in lower case, the last one of a repeated name.
        request_id: the caller's X-Request-Id if it is a fit one, else a fresh one.
        started: ``time.perf_counter`` at the beginning.
        extra: headers that any response gets (CORS, for example).
        route: what served it, for logs and metrics: an RPC's path, a page's path, or "" for nothing.
        status: the response's status; 0 before the response began, 499 if the client went away before that.
        error: what went wrong, in mid-stream as well; None if nothing did.
        sent_bytes: bytes of the response's body, before HTTP's own framing.
    """

    __slots__ = (
        "_abort",
        "_send",
        "_task",
        "client",
        "error",
        "extra",
        "gone",
        "headers",
        "path",
        "query",
        "receive",
        "request_id",
        "route",
        "sent_bytes",
        "started",
        "status",
        "subject",
        "traceparent",
        "verb",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = time.perf_counter()
        self.verb: str = scope["method"]
        raw_path: bytes | None = scope.get("raw_path")
        self.path = raw_path.decode("latin-1") if raw_path is not None else scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.client: tuple[str, int] | None = scope.get("client")
        self.receive = receive
        self._send = send
        given = self.headers.get(b"x-request-id")
        # an id has to be distinct, not secret
        self.request_id = given if given is not None and _REQUEST_ID.fullmatch(given) else randbytes(16).hex().encode()
        self.extra: Headers = []
        self.route = ""
        self.subject = ""
        self.traceparent = ""
        self.status = 0
        self.error: MeshError | None = None
        self.sent_bytes = 0
        self.gone = False
        self._abort: MeshError | None = None
        self._task = asyncio.current_task()

    @property
    def begun(self) -> bool:
        """Whether the response's status and headers are out."""
        return self.status != 0

    async def respond(self, status: int, content_type: bytes, body: bytes, headers: Headers | None = None) -> None:
        """Send a whole response; an empty ``content_type`` sends none."""
        self.status = status
        self.sent_bytes = len(body)
        fields = [(b"x-request-id", self.request_id), *self.extra]
        if content_type:
            fields.append((b"content-type", content_type))
        if status not in _NO_BODY:
            fields.append((b"content-length", b"%d" % len(body)))
        if headers:
            fields += headers
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
        await self._send({"type": "http.response.body", "body": b"" if self.verb == "HEAD" else body})

    async def begin(self, content_type: bytes, headers: Headers) -> None:
        """Send status 200 and the headers of a response that comes in parts."""
        self.status = 200
        fields = [(b"x-request-id", self.request_id), *self.extra, (b"content-type", content_type), *headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": fields})

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of the body; waits while the client is slower than we are."""
        self.sent_bytes += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    def abort(self, error: MeshError, *, gone: bool = False) -> None:
        """End the exchange from outside with an error; ``gone`` means that nobody is left to be told."""
        if self._abort is None and self._task is not None:
            self._abort = error
            self.gone = gone
            self._task.cancel()

    def aborted(self) -> MeshError | None:
        """Return the error of ``abort`` once, for whoever caught the CancelledError that it causes; else None."""
        if self._abort is None or self._task is None:
            return None
        error, self._abort = self._abort, None
        self._task.uncancel()
        return error


class Watch:
    """Notices that the client goes away while a call is under way, and aborts the exchange.

    Looking costs a task, and most calls are done sooner than a client gives up: so it begins after ``delay`` seconds.
    """

    def __init__(self, exchange: Exchange, delay: float, gone: Callable[[], MeshError]) -> None:
        self._exchange = exchange
        self._gone = gone
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def stop(self) -> None:
        """Stop watching; to be called before the response is complete."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        while (await self._exchange.receive())["type"] != "http.disconnect":
            pass
        self._exchange.abort(self._gone(), gone=True)
