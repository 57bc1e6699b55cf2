"""Serves one HTTP binding of one RPC: bind, call, answer as a document, as lines or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.accept import EVENTS, Layout, media_types, stream_layout
from gateway.admission import Admission
from gateway.bind import Binder, Bound
from gateway.bodies import BodyReader
from gateway.compress import SMALLEST, coding_for, compressed
from gateway.contract import Rpc
from gateway.errors import Headers
from gateway.exchange import Exchange
from gateway.framing import framer_for
from gateway.guard import Guard
from gateway.replies import Replier
from gateway.streaming import StreamedResponse, StreamForm
from gateway.timeouts import asked_timeout
from gateway.upstream import Call, Upstream
from llamastack.json.v1 import json_pb2
from mesh.errors import InvalidField
from mesh.identity import become
from mesh.metadata import AUTHORIZATION, PROVIDER_DATA, REQUEST_ID
from mesh.transport import METADATA_BYTES

_IN_THREAD = 256 * 1024
# bytes of a message whose document is small, all but always
_SMALL = SMALLEST // 2
_DOCUMENT = Layout.DOCUMENT.value
_NO_STORE = (b"cache-control", b"no-store")
_STREAM_HEADERS: Headers = [_NO_STORE, (b"x-accel-buffering", b"no")]
_VARY = (b"vary", b"accept-encoding")
_PROVIDER_DATA = b"x-llamastack-providerdata"
# areas whose tools may be told to pass the caller's token on to servers of others
_SHOWN_TO = frozenset({"agents", "tools"})
# half of what the metadata of a call may have in all
_PROVIDER_DATA_BYTES = METADATA_BYTES // 2


class Endpoint(Protocol):
    """Something that a path and a verb lead to."""

    route: str
    openai_errors: bool

    def light(self, exchange: Exchange) -> bool:
        """Return whether ``serve`` waits for nothing but futures of the event loop once the body is there."""

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Answer the request.

        Raises:
            MeshError: it failed before the response began.
        """


@dataclass(frozen=True, slots=True)
class Streaming:
    """The streaming RPC that serves an endpoint, always or when it is asked for, and how its messages are written."""

    rpc: Rpc
    encode: Callable[[bytes], bytes]
    values: Callable[[bytes], Sequence[bytes]] | None
    event_id: Callable[[bytes], int | None] | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every endpoint.

    Attributes:
        timeout_s: seconds that a unary call may take when the caller names none; None for no limit.
        max_timeout_s: seconds that a caller may ask for; more is cut to this.
        heartbeat_s: silence in a stream after which a heartbeat is sent.
        sse_always: answer with server-sent events where a stream is possible, also when none was asked for.
        compress: compress responses for clients that accept it.
    """

    timeout_s: float | None = 600.0
    max_timeout_s: float = 86_400.0
    heartbeat_s: float = 10.0
    sse_always: bool = False
    compress: bool = True


class Renaming(Protocol):
    """Renames fields in a service's complaints to what the caller wrote."""

    def renamed(self, error: InvalidField) -> InvalidField:
        """Return the error in the caller's terms."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an endpoint works with."""

    binder: Binder
    replier: Replier
    paths: Renaming
    upstream: Upstream
    bodies: BodyReader
    guard: Guard
    admission: Admission
    policy: Policy


class RpcEndpoint:
    """One HTTP binding of one RPC.

    Args:
        rpc: the RPC of the binding.
        streaming: the streaming twin, or the RPC itself if it streams; None if there is no stream here.
        parts: what it works with.
    """

    def __init__(self, rpc: Rpc, streaming: Streaming | None, parts: Parts) -> None:
        self.route = rpc.path
        self.openai_errors = rpc.openai_errors
        self._rpc = rpc
        self._streaming = streaming
        self._parts = parts
        self._documents = parts.replier.plain and not (parts.policy.sse_always and streaming is not None)

    async def serve(self, exchange: Exchange, variables: Mapping[str, str]) -> None:
        """Answer the request.

        Raises:
            MeshError: it failed before the response began.
        """
        parts, headers = self._parts, exchange.headers
        parts.admission.enter(exchange)
        called = False
        try:
            identity = exchange.identity or await parts.guard.admit(exchange, self._rpc)
            timeout = self._timeout(headers)
            body = parts.bodies.at_hand(exchange.body, headers)
            if body is None:
                body = await parts.bodies.read(exchange.body, headers)
            if len(body) < _IN_THREAD:
                request, asked = self._bind(exchange, body, variables)
            else:
                # so that streams go on meanwhile
                request, asked = await asyncio.to_thread(self._bind, exchange, body, variables)
            streaming = self._streaming if self._streams(asked, headers) else None
            metadata = _metadata(exchange, self._rpc.area)
            # a request has a task, or a ride, of its own
            become(identity)
            called = True
            if streaming is None:
                call = self._rpc.path, request, metadata, timeout or parts.policy.timeout_s
                data = await parts.upstream.unary(call)
                sending = self._answer(exchange, data) if len(data) < _SMALL else self._reply(exchange, data)
                if sending is not None:
                    await sending
            else:
                call = streaming.rpc.path, request, metadata, timeout
                await self._stream(exchange, call, streaming, asked_in_body=asked is True)
        except InvalidField as error:
            if called:
                raise parts.paths.renamed(error) from error
            raise
        finally:
            parts.admission.leave(exchange)

    def light(self, exchange: Exchange) -> bool:
        """Return whether the caller is known; only checking credentials needs a task."""
        return self._parts.guard.knows(exchange, self._rpc)

    def _timeout(self, headers: Mapping[bytes, bytes]) -> float | None:
        asked = asked_timeout(headers.get(b"grpc-timeout"), headers.get(b"x-request-timeout"))
        return None if asked is None else min(asked, self._parts.policy.max_timeout_s)

    def _bind(self, exchange: Exchange, body: bytes, variables: Mapping[str, str]) -> Bound:
        last_event = exchange.headers.get(b"last-event-id")
        last_event_id = None if last_event is None else last_event.decode("latin-1")
        return self._parts.binder.bind(body, exchange.query, variables, last_event_id)

    def _streams(self, asked: bool | None, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether this request gets a stream: the body's word counts first, then the contract's and Accept's."""
        if self._streaming is None or self._rpc.streams:
            return self._streaming is not None
        if asked is None and self._rpc.json.stream_on_accept:
            return EVENTS in media_types(headers.get(b"accept", b""))
        return asked is True

    def _answer(self, exchange: Exchange, data: bytes) -> Awaitable[None] | None:
        """Send a small answer, most of which are documents that nobody compresses; return what is to be awaited."""
        parts = self._parts
        if not self._documents:
            return self._reply(exchange, data)
        body = parts.replier.document(data)
        if parts.policy.compress and len(body) >= SMALLEST:
            return self._reply(exchange, data)
        return exchange.answer(200, _DOCUMENT, body, [_NO_STORE])

    async def _reply(self, exchange: Exchange, data: bytes) -> None:
        """Send an answer of any size and kind."""
        parts = self._parts
        replier, headers = parts.replier, [_NO_STORE]
        if parts.policy.sse_always and self._streaming is not None:
            body = b"data: %s\n\n" % replier.line(data)
            await exchange.respond(200, Layout.EVENTS.value, body, headers)
            return
        content_type = _DOCUMENT
        if replier.plain:
            small = len(data) < _IN_THREAD
            body = replier.document(data) if small else await asyncio.to_thread(replier.document, data)
        else:
            reply = replier.reply(data, exchange.headers.get(b"accept", b""))
            body, content_type = reply.body, reply.layout.value
            headers += reply.headers
        if parts.policy.compress and len(body) >= SMALLEST:
            body = await _compress(exchange, body, headers)
        await exchange.respond(200, content_type, body, headers)

    async def _stream(self, exchange: Exchange, call: Call, streaming: Streaming, *, asked_in_body: bool) -> None:
        lines = self._rpc.streams and self._rpc.json.format == json_pb2.MethodJson.FORMAT_JSON_LINES
        layout = stream_layout(exchange.headers.get(b"accept", b""), asked_in_body=asked_in_body, lines=lines)
        if exchange.verb == "HEAD":
            await exchange.respond(200, layout.value, b"", [_NO_STORE])
            return
        form = StreamForm(
            content_type=layout.value,
            framer=framer_for(layout, self._rpc.json.sse_terminator or streaming.rpc.json.sse_terminator),
            encode=streaming.encode,
            values=streaming.values,
            event_id=streaming.event_id if layout is Layout.EVENTS else None,
            openai_errors=self.openai_errors,
            heartbeat_s=self._parts.policy.heartbeat_s,
        )
        source = self._parts.upstream.stream(call)
        await StreamedResponse(exchange, source, form, _STREAM_HEADERS).run()


def _metadata(exchange: Exchange, area: str) -> list[tuple[str, str]]:
    """Return what of the headers travels on."""
    metadata = [(REQUEST_ID, exchange.request_id.decode())]
    provider_data = exchange.headers.get(_PROVIDER_DATA)
    if provider_data is not None:
        text = provider_data.decode("latin-1")
        if not (text.isascii() and text.isprintable() and len(text) <= _PROVIDER_DATA_BYTES):
            expected = f"expected printable ASCII of at most {_PROVIDER_DATA_BYTES} characters"
            raise InvalidField("X-LlamaStack-ProviderData", expected)
        metadata.append((PROVIDER_DATA, text))
    if area in _SHOWN_TO:
        token = exchange.headers.get(AUTHORIZATION.encode(), b"").decode("latin-1")
        if token.isascii() and token.isprintable() and 0 < len(token) <= _PROVIDER_DATA_BYTES:
            metadata.append((AUTHORIZATION, token))
    return metadata


async def _compress(exchange: Exchange, body: bytes, headers: Headers) -> bytes:
    """Return the body as the client accepts it, and say in the headers how that is."""
    headers.append(_VARY)
    coding = coding_for(exchange.headers.get(b"accept-encoding", b""))
    if coding is None:
        return body
    headers.append((b"content-encoding", coding))
    return await compressed(body, coding)
