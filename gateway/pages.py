"""The paths that no contract has: health, readiness, the OpenAPI document, and files that are sent as they are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import orjson

from gateway.admission import Admission
from gateway.compress import SMALLEST, coding_for, compressed
from gateway.errors import NotDeployed
from gateway.exchange import Exchange

_JSON = b"application/json"
_NO_STORE = (b"cache-control", b"no-store")
_REVALIDATE = (b"cache-control", b"no-cache")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_FRAME = (b"x-frame-options", b"DENY")
_VARY = (b"vary", b"accept-encoding")

# a document in one coding, b"" for none, and its tag
Form = tuple[bytes, bytes]


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
    """A document that is made once, beside the event loop, when it is first asked for, and packed once for each coding.

    Args:
        route: its path.
        content_type: its media type.
        make: returns it.
        compress: compress it for clients that accept it.
    """

    openai_errors = False

    def __init__(self, route: str, content_type: bytes, make: Callable[[], bytes], *, compress: bool) -> None:
        self.route = route
        self._content_type = content_type
        self._make = make
        self._compress = compress
        self._made: asyncio.Future[bytes] | None = None
        self._forms: dict[bytes, Form] = {}

    def light(self, exchange: Exchange) -> bool:
        """Return False: pages are seldom asked for."""
        return False

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Answer with the document, or 304 to those who have it."""
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        # a client that leaves meanwhile must not take the document from all others
        plain = await asyncio.shield(self._made)
        headers = [_REVALIDATE, _NO_SNIFF, _NO_FRAME]
        coding = b""
        if self._compress and len(plain) >= SMALLEST:
            headers.append(_VARY)
            coding = coding_for(exchange.headers.get(b"accept-encoding", b"")) or b""
        body, tag = await self._form(plain, coding)
        headers.append((b"etag", tag))
        if _has(exchange.headers.get(b"if-none-match", b""), tag):
            await exchange.respond(304, b"", b"", headers)
            return
        if coding:
            headers.append((b"content-encoding", coding))
        await exchange.respond(200, self._content_type, body, headers)

    async def _form(self, plain: bytes, coding: bytes) -> Form:
        form = self._forms.get(coding)
        if form is None:
            body = await compressed(plain, coding) if coding else plain
            tag = b'"%b"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()
            form = self._forms[coding] = body, tag
        return form


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


def _has(if_none_match: bytes, tag: bytes) -> bool:
    """Return whether an If-None-Match header names the tag (RFC 9110, 13.1.2)."""
    known = [entry.strip().removeprefix(b"W/") for entry in if_none_match.split(b",")]
    return tag in known or known == [b"*"]
