"""Tells a sampled call's span whose call it is and what the conventions for generative AI say about it.

It runs within everything else, where the caller and the parsed request are known, and costs an unsampled call one look
at its trace.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message
from opentelemetry import trace as otel
from opentelemetry.trace import Span

from mesh.identity import current_or_none
from mesh.methods import Method
from mesh.pipeline import Call, Context, Proceed
from mesh.telemetry import conventions, trace


class Semantics:
    """Describes the spans of calls; see ``mesh.telemetry.conventions``."""

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` with the span described."""
        if method.infrastructure:
            return proceed
        reads = bool(conventions.operation(method)) and method.output is not None
        answer = message_factory.GetMessageClass(method.output) if reads and method.output is not None else None

        async def described(call: Call) -> Any:
            known = trace.current.get()
            span = otel.get_current_span()
            if known is None or not known.sampled or not span.is_recording():
                return await proceed(call)
            identity = current_or_none()
            if identity is not None:
                span.set_attribute(conventions.TENANT, identity.tenant)
            if isinstance(call.request, Message):
                _describe(span, conventions.of_request(method, call.request))
            if answer is None:
                return await proceed(call)
            call.context = _Watched(call.context, span)  # type: ignore[assignment]  # it stands in for the context
            response = await proceed(call)
            if isinstance(response, bytes):
                span.set_attributes(conventions.of_response(answer.FromString(response)))
            return response

        return described


class _Watched:
    """A call's context whose streamed messages are looked at on their way out."""

    def __init__(self, context: Context, span: Span) -> None:
        self._context = context
        self._span = span

    def __getattr__(self, name: str) -> Any:
        """Return what the context itself has."""
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Send a message."""
        self._span.set_attributes(conventions.of_response(message))
        await self._context.write(message)


def _describe(span: Span, attributes: conventions.Attributes) -> None:
    span.set_attributes(attributes)
    if name := conventions.name_of(attributes):
        span.update_name(name)
