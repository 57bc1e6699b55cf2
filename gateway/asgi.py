"""The client's side of an exchange where an ASGI server has the connection: for tests, and inside of other programs.

See https://asgi.readthedocs.io/en/latest/specs/www.html. The gateway's own server is `gateway.server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.errors import Headers, went_away
from gateway.exchange import Exchange
from gateway.http1.headers import joined

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class AsgiClient:
    """The client behind an ASGI server."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._more = True
        self._watching: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None

    def exchange(self, scope: Scope) -> Exchange:
        """Return the exchange of a request, served by the current task."""
        raw_path: bytes | None = scope.get("raw_path")
        path = raw_path.decode("latin-1") if raw_path is not None else scope["path"]
        head = scope["method"], path, scope["query_string"], joined(scope["headers"]), scope.get("client")
        self._exchange = Exchange(head, self)
        self._exchange.task = asyncio.current_task()
        return self._exchange

    def whole(self) -> bytes | None:
        """Return None: an ASGI server has to be asked."""
        return None

    async def piece(self) -> bytes:
        """Wait for more of the body; from its end on, notice that the client leaves."""
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise went_away()
            self._more = message.get("more_body", False)
            if body := message.get("body", b""):
                return bytes(body)
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._look())
        return b""

    async def answer(self, status: int, fields: Headers, body: bytes) -> None:
        """Send a whole response."""
        self.stop()
        await self.begin(status, fields)
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, fields: Headers) -> None:
        """Send the head of a response that comes in parts."""
        await self._send({"type": "http.response.start", "status": status, "headers": fields})

    async def write(self, data: bytes, *, last: bool) -> None:
        """Send a part of the body."""
        if last:
            self.stop()
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    def stop(self) -> None:
        """Stop watching; the server says that the client left as soon as the response is complete."""
        if self._watching is not None:
            self._watching.cancel()

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._exchange is not None:
            self._exchange.abort(went_away(), gone=True)
