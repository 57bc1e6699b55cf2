"""The chain that every RPC runs through, the same for all four kinds, built once per method and then reused.

An interceptor gets the chance to wrap a method once; where it has nothing to do it returns what it was given and costs
nothing from then on. Streamed messages pass through no interceptor: one that cares for the requests of a stream
replaces ``call.request``. Requests are parsed in the middle of the chain, after the caller is known.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from mesh.errors import MalformedRequest, NotSupported
from mesh.identity import Identity
from mesh.methods import Method, method

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True)
class Call:
    """One RPC under way.

    ``request`` is the message, or the iterator of messages where the client streams; bytes in both cases before the
    chain has parsed it. ``metadata`` has the text pairs of the incoming metadata, the last one of a repeated key.
    ``identity`` is who calls, once that is known.
    """

    method: Method
    context: Context
    request: Any
    metadata: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None


Proceed: TypeAlias = Callable[[Call], Awaitable[Any]]
"""Runs the rest of the chain; returns the response, or None where the server streams (its messages are sent then)."""


_KIND: Final = {False: "unary", True: "stream"}
_GENERATED: Final = "_pb2_grpc"


class Interceptor(Protocol):
    """Something that surrounds calls; it states in ``wrap`` what it does for a method."""

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` with this interceptor around it, or ``proceed`` itself if there is nothing to do."""
        ...


class Pipeline(grpc.aio.ServerInterceptor):
    """Runs every call of a server through the interceptors.

    Args:
        outer: run first to last, before the request is parsed.
        inner: run after it, when ``call.request`` holds messages.
    """

    def __init__(self, outer: Sequence[Interceptor], inner: Sequence[Interceptor]) -> None:
        self._outer = tuple(outer)
        self._inner = tuple(inner)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of the method with the chain around it; None if the server has no such method."""
        path = handler_call_details.method
        known = self._handlers.get(path)
        if known is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            # only methods that exist get here, so the table can't be grown from outside
            target = replace(method(path), server_streaming=handler.response_streaming)
            known = self._handlers[path] = self._compile(target, handler)
        return known

    def _compile(self, target: Method, handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
        """Return a handler that takes raw bytes and runs the chain around the given one."""
        proceed = _respond(target, handler)
        for interceptor in reversed(self._inner):
            proceed = interceptor.wrap(target, proceed)
        proceed = _parse(handler, proceed)
        for interceptor in reversed(self._outer):
            proceed = interceptor.wrap(target, proceed)

        async def run(request: Any, context: Context) -> Any:
            pairs = context.invocation_metadata() or ()
            metadata = {key: value for key, value in pairs if type(value) is str}
            return await proceed(Call(target, context, request, metadata))

        kind = f"{_KIND[handler.request_streaming]}_{_KIND[handler.response_streaming]}"
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        # a lone response is serialized in the chain, so that a bad one is an error like any other
        serialize = handler.response_serializer if handler.response_streaming else None
        made: grpc.RpcMethodHandler[Any, Any] = make(run, request_deserializer=None, response_serializer=serialize)
        return made


def _respond(target: Method, handler: Any) -> Proceed:
    """Return the innermost part: it calls the servicer and sends what it answers."""
    kind = f"{_KIND[handler.request_streaming]}_{_KIND[handler.response_streaming]}"
    behaviour = getattr(handler, kind)
    # what a servicer does not define is inherited from the generated class, whose methods only say so
    if behaviour.__module__.endswith(_GENERATED):
        return _absent(target)
    if handler.response_streaming:
        return _stream(behaviour)
    serialize = handler.response_serializer

    async def answer(call: Call) -> bytes:
        return serialize(await behaviour(call.request, call.context))  # type: ignore[no-any-return]  # grpc is untyped here

    return answer


def _absent(target: Method) -> Proceed:
    async def refuse(call: Call) -> None:
        raise NotSupported(f"{target.path} is not served here")

    return refuse


def _stream(behaviour: Any) -> Proceed:
    """Return the innermost part for a servicer that streams, written as a generator or as a coroutine that writes."""
    if inspect.iscoroutinefunction(behaviour):

        async def write_itself(call: Call) -> None:
            await behaviour(call.request, call.context)

        return write_itself

    async def send(call: Call) -> None:
        messages = behaviour(call.request, call.context)
        write = call.context.write
        try:
            async for message in messages:
                await write(message)
        finally:
            # a generator that is left early is closed here and now, not when the garbage collector comes by
            if (close := getattr(messages, "aclose", None)) is not None:
                await close()

    return send


def _parse(handler: Any, proceed: Proceed) -> Proceed:
    """Return ``proceed`` behind the parsing of the request.

    The chain raises MalformedRequest for bytes that are not the message; the text does not repeat them.
    """
    parse = handler.request_deserializer or bytes

    def read(raw: bytes) -> Any:
        try:
            return parse(raw)
        except DecodeError as error:
            raise MalformedRequest("the request is not a valid message of its type") from error

    async def read_all(raws: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for raw in raws:
            yield read(raw)

    reader: Callable[[Any], Any] = read_all if handler.request_streaming else read

    async def parsed(call: Call) -> Any:
        call.request = reader(call.request)
        return await proceed(call)

    return parsed
