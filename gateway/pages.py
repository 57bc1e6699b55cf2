"""The paths that no contract has: health, readiness, the OpenAPI document, and files that are sent as they are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import orjson

from gateway.admission import Admission
from gateway.errors import NotDeployed
from gateway.exchange import Exchange

_JSON = b"application/json"
_NO_STORE = (b"cache-control", b"no-store")
_REVALIDATE = (b"cache-control", b"no-cache")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_FRAME = (b"x-frame-options", b"DENY")


class HealthPage:
    """Says that the process is alive; it stays so while the gateway drains."""

    openai_errors = False

    def __init__(self) -> None:
        self.route = "/healthz"

    def light(self, exchange: Exchange) -> bool:
        """Return False: pages are seldom asked for."""
        return False

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Answer 200."""
        await exchange.respond(200, _JSON, b'{"status":"ok"}', [_NO_STORE])


class ReadyPage:
    """Says whether requests should be sent here, and what the connection to each area is like.

    A service that is away makes its own paths fail, not the gateway unready: it would take all others down with it.
    """

    openai_errors = False

    def __init__(self, admission: Admission, states: Callable[[], Mapping[str, str]]) -> None:
        self.route = "/readyz"
        self._admission = admission
        self._states = states

    def light(self, exchange: Exchange) -> bool:
        """Return False: pages are seldom asked for."""
        return False

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Answer 200, or 503 while the gateway drains."""
        draining = self._admission.draining
        status = "draining" if draining else "ready"
        body = orjson.dumps({"status": status, "upstreams": dict(self._states())})
        await exchange.respond(503 if draining else 200, _JSON, body, [_NO_STORE])


class DocumentPage:
    """A document that is made once, beside the event loop, when it is first asked for."""

    openai_errors = False

    def __init__(self, route: str, content_type: bytes, make: Callable[[], bytes]) -> None:
        self.route = route
        self._content_type = content_type
        self._make = make
        self._made: asyncio.Future[bytes] | None = None

    def light(self, exchange: Exchange) -> bool:
        """Return False: pages are seldom asked for."""
        return False

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Answer with the document, or 304 to those who have it."""
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        # a client that leaves meanwhile must not take the document from all others
        body = await asyncio.shield(self._made)
        tag = b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'
        headers = [(b"etag", tag), _REVALIDATE, _NO_SNIFF, _NO_FRAME]
        if exchange.headers.get(b"if-none-match") == tag:
            await exchange.respond(304, b"", b"", headers)
        else:
            await exchange.respond(200, self._content_type, body, headers)


class MissingService:
    """Stands at the paths of a service that this deployment has no address for."""

    openai_errors = False

    def __init__(self, service: str, *, openai_errors: bool) -> None:
        self.route = ""
        self.openai_errors = openai_errors
        self._service = service

    def light(self, exchange: Exchange) -> bool:
        """Return False: pages are seldom asked for."""
        return False

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Say which service is missing."""
        raise NotDeployed(self._service)
