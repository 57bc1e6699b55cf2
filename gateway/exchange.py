"""One HTTP request and its response, as everything behind the front sees them. Knows no HTTP server, gRPC or JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from random import getrandbits
from typing import Any, Protocol

from gateway.errors import Headers
from mesh.errors import MeshError
from mesh.identity import Identity

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_NO_BODY = frozenset({204, 304})

# what a request says before its body: verb, path, query, headers and client of its exchange
Head = tuple[str, str, bytes, dict[bytes, bytes], tuple[str, int] | None]


class Client(Protocol):
    """The client's side of one exchange: gives the request's body and takes the response."""

    def whole(self) -> bytes | None:
        """Return the body if all of it has arrived already, b"" for none; else None."""

    async def piece(self) -> bytes:
        """Wait for more of the body and return it; b"" at its end.

        Raises:
            Cancelled: the client went away.
        """

    def answer(self, status: int, fields: Headers, body: bytes) -> Awaitable[None] | None:
        """Send a whole response; return what is to be awaited for that, if anything."""

    async def begin(self, status: int, fields: Headers) -> None:
        """Send the head of a response that comes in parts."""

    async def write(self, data: bytes, *, last: bool) -> None:
        """Send a part of the body; waits while the client is slower than we are."""


class Cancellable(Protocol):
    """What serves an exchange: a task, or something that can be ended as one."""

    def cancel(self) -> bool:
        """Raise a CancelledError where it waits."""

    def uncancel(self) -> int:
        """Take a cancellation as done with."""


class Exchange:
    """A request with its response under way.

    Attributes:
        verb: the HTTP method in capitals.
        path: the path, still percent-encoded, without the query.
        query: the raw query string.
        headers: names in lower case, the values of a repeated name as a list.
        client: the address that the request came from, host and port.
        request_id: the caller's X-Request-Id if it is a fit one, else a fresh one.
        body: where the request's body comes from.
        started: ``time.perf_counter`` at the beginning.
        task: what serves it; whoever starts that sets it.
        extra: headers that any response gets (CORS, for example).
        found: what the front's router found, where it was asked already.
        route: what served it, for logs and metrics: an RPC's path, a page's path, or "" for nothing.
        subject: who calls, for logs; "" where nobody has to say so.
        identity: the caller's identity, once it is known.
        status: the response's status; 0 before the response began, 499 if the client went away before that.
        error: what went wrong, in mid-stream as well; None if nothing did.
        sent_bytes: bytes of the response's body, before HTTP's own framing.
        probe: sends something in mid-stream that shows whether the client is there; None where nothing can.
    """

    __slots__ = (
        "_abort",
        "_client",
        "body",
        "client",
        "error",
        "extra",
        "found",
        "gone",
        "headers",
        "identity",
        "path",
        "probe",
        "query",
        "request_id",
        "route",
        "sent_bytes",
        "started",
        "status",
        "subject",
        "task",
        "verb",
    )

    def __init__(self, head: Head, client: Client) -> None:
        self.started = time.perf_counter()
        self.verb, self.path, self.query, self.headers, self.client = head
        self.body = self._client = client
        given = self.headers.get(b"x-request-id")
        if given is None or not _REQUEST_ID.fullmatch(given):
            # an id has to be distinct, not secret
            given = getrandbits(128).to_bytes(16, "big").hex().encode()
        self.request_id = given
        self.extra: Headers = []
        self.found: Any = None
        self.route = ""
        self.subject = ""
        self.identity: Identity | None = None
        self.status = 0
        self.error: MeshError | None = None
        self.sent_bytes = 0
        self.gone = False
        self.probe: Callable[[], None] | None = None
        self.task: Cancellable | None = None
        self._abort: MeshError | None = None

    @property
    def begun(self) -> bool:
        """Whether the response's status and headers are out."""
        return self.status != 0

    async def respond(self, status: int, content_type: bytes, body: bytes, headers: Headers | None = None) -> None:
        """Send a whole response; an empty ``content_type`` sends none."""
        sending = self.answer(status, content_type, body, headers)
        if sending is not None:
            await sending

    def answer(
        self, status: int, content_type: bytes, body: bytes, headers: Headers | None = None
    ) -> Awaitable[None] | None:
        """Send a whole response as ``respond`` does; return what is to be awaited for that, if anything."""
        self.status = status
        self.sent_bytes = len(body)
        fields = [(b"x-request-id", self.request_id), *self.extra]
        if content_type:
            fields.append((b"content-type", content_type))
        if status not in _NO_BODY:
            fields.append((b"content-length", b"%d" % len(body)))
        if headers:
            fields += headers
        return self._client.answer(status, fields, b"" if self.verb == "HEAD" else body)

    async def begin(self, content_type: bytes, headers: Headers) -> None:
        """Send status 200 and the headers of a response that comes in parts."""
        self.status = 200
        fields = [(b"x-request-id", self.request_id), *self.extra, (b"content-type", content_type), *headers]
        await self._client.begin(200, fields)

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of the body; waits while the client is slower than we are."""
        self.sent_bytes += len(data)
        await self._client.write(data, last=last)

    def abort(self, error: MeshError, *, gone: bool = False) -> None:
        """End the exchange from outside with an error; ``gone`` means that nobody is left to be told."""
        if self._abort is None and self.task is not None:
            self._abort = error
            self.gone = gone
            self.task.cancel()

    def over(self) -> None:
        """Let go of what refers back to the exchange, so that it goes without the garbage collector."""
        self.task = None
        del self.body, self._client

    def aborted(self) -> MeshError | None:
        """Return the error of ``abort`` once, for whoever caught the CancelledError that it causes; else None."""
        if self._abort is None or self.task is None:
            return None
        error, self._abort = self._abort, None
        self.task.uncancel()
        return error
