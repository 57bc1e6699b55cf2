"""Finds what serves a request, lets it, and makes errors into responses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.admission import Admission
from gateway.asgi import AsgiClient, Receive, Scope, Send
from gateway.cors import Cors, is_preflight
from gateway.endpoint import Endpoint
from gateway.errors import NoSuchPath, VerbNotAllowed, failure_of
from gateway.exchange import Exchange
from gateway.origins import OriginCheck
from gateway.routes import Found, Router, WrongVerb
from mesh.errors import Internal, MeshError

_JSON = b"application/json"
_CLOSE = (b"connection", b"close")
_GONE = 499

Hook = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Sees every exchange and never takes part in it."""

    def watching(self, exchange: Exchange) -> AbstractContextManager[None]:
        """Return what surrounds an exchange, from the arrival of its headers until its response is over."""
        ...


@dataclass(frozen=True, slots=True)
class Pages:
    """Which web pages may call, and what keeps the others away; None where callers have to prove who they are."""

    cors: Cors
    origins: OriginCheck | None


class Front:
    """The gateway behind its own server, and as an ASGI application behind any other.

    Args:
        router: what serves which path and verb.
        pages: which web pages may call.
        admission: tells whether the gateway is about to stop.
        observer: sees every exchange.
        stop: run when the server has stopped.
    """

    def __init__(
        self, router: Router[Endpoint], pages: Pages, admission: Admission, observer: Observer, stop: Hook
    ) -> None:
        self._router = router
        self._pages = pages
        self._admission = admission
        self._observer = observer
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request of an ASGI server, or its life cycle. There are no WebSockets here."""
        if scope["type"] == "http":
            client = AsgiClient(receive, send)
            try:
                await self.serve(client.exchange(scope))
            finally:
                client.stop()
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def serve(self, exchange: Exchange) -> None:
        """Serve one request; it raises nothing but the CancelledError of a task that was cancelled from outside."""
        openai = False
        with self._observer.watching(exchange):
            try:
                found = self._found(exchange)
                if isinstance(found, WrongVerb):
                    await self._other_verb(exchange, found.allow)
                else:
                    endpoint = found.target
                    exchange.route, openai = endpoint.route, endpoint.openai_errors
                    await endpoint.serve(exchange, found.variables)
            except MeshError as error:
                await _fail(exchange, error, openai=openai)
            except asyncio.CancelledError:
                reason = exchange.aborted()
                if reason is None:
                    raise
                await _fail(exchange, reason, openai=openai)
            except Exception as error:  # the process edge: whatever it is, the caller learns an id and the log the rest
                internal = Internal()
                log.exception("request failed", exc_info=error, extra=_known(exchange, internal))
                await _fail(exchange, internal, openai=openai)

    def light(self, exchange: Exchange) -> bool:
        """Return whether ``serve`` waits for nothing but futures of the event loop, so that it needs no task."""
        found = exchange.found = self._router.find(exchange.verb, exchange.path)
        return isinstance(found, Found) and found.target.light(exchange)

    async def stop(self) -> None:
        """Let go of everything, when the last request has been served."""
        await self._stop()

    def _found(self, exchange: Exchange) -> Found[Endpoint] | WrongVerb:
        """Return what a request leads to, once it is known that its page may ask."""
        headers = exchange.headers
        if b"origin" in headers:
            exchange.extra += self._pages.cors.headers(headers)
        if self._admission.draining:
            exchange.extra.append(_CLOSE)
        if self._pages.origins is not None and exchange.verb != "OPTIONS":
            self._pages.origins.check(headers)
        found = exchange.found or self._router.find(exchange.verb, exchange.path)
        if found is None:
            raise NoSuchPath
        return found

    async def _other_verb(self, exchange: Exchange, allow: str) -> None:
        if exchange.verb != "OPTIONS":
            raise VerbNotAllowed(allow)
        headers = [(b"allow", allow.encode())]
        if is_preflight(exchange.verb, exchange.headers):
            headers += self._pages.cors.preflight(exchange.headers, allow)
        await exchange.respond(204, b"", b"", headers)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message: dict[str, Any] = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _known(exchange: Exchange, error: Internal) -> dict[str, str]:
    return {"error_id": error.error_id, "request_id": exchange.request_id.decode(), "path": exchange.path}


async def _fail(exchange: Exchange, error: MeshError, *, openai: bool) -> None:
    """Answer with the error, if there is still somebody to answer and nothing was answered yet."""
    exchange.error = error
    if exchange.gone:
        exchange.status = _GONE
    elif not exchange.begun:
        told = failure_of(error, openai=openai)
        await exchange.respond(told.status, _JSON, told.body, [(b"cache-control", b"no-store"), *told.headers])
