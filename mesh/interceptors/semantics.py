"""Tells what the conventions for generative AI say about a call: in spans of a sampled one, in metrics of models.

The conventions have a span for an operation, of a kind that a server's span is not. So a model's work, a turn, a tool's
run and a query are INTERNAL spans of their own within the one of their RPC, whoever called. This runs within
everything else, where the caller and the parsed request are known. A call that is neither sampled nor a model's costs
one look at its trace.
"""

from __future__ import annotations

import time
from asyncio import CancelledError
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message
from opentelemetry import trace as otel
from opentelemetry.trace import Span, Status, StatusCode

from mesh.errors import from_exception
from mesh.identity import current_or_none
from mesh.methods import Method
from mesh.pipeline import Call, Context, Proceed
from mesh.telemetry import answers, contents, conventions, trace
from mesh.telemetry.generation import Generation
from mesh.telemetry.tracing import Tracing


class Semantics:
    """Describes calls; see ``mesh.telemetry.conventions``.

    Args:
        generation: counts what models do; None for no metrics of them.
        tracing: makes the spans of operations; None for none of them.
        capture: whether prompts and answers become attributes of spans.
    """

    def __init__(
        self, generation: Generation | None = None, *, tracing: Tracing | None = None, capture: bool = False
    ) -> None:
        self._generation = generation
        self._tracing = tracing
        self._capture = capture

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` described."""
        if method.infrastructure:
            return proceed
        doing = conventions.operation(method)
        made = message_factory.GetMessageClass(method.output) if doing and method.output is not None else None
        generation = self._generation if doing in conventions.MODELS and made is not None else None

        async def described(call: Call) -> Any:
            sampled = _named(call)
            if made is None or not (sampled or generation):
                return await proceed(call)
            with self._operation(call, doing) if sampled else nullcontext() as span:
                watch = _Watch(call, span, contents.Said(doing) if span is not None and self._capture else None)
                if method.server_streaming:
                    call.context = _Watched(call.context, watch)  # type: ignore[assignment]  # it stands in for the context
                error = ""
                try:
                    response = await proceed(call)
                    if isinstance(response, bytes):
                        watch.take(made.FromString(response))
                    return response
                except CancelledError:
                    error = "CANCELLED"
                    raise
                except Exception as raised:
                    error = from_exception(raised).code.name
                    raise
                finally:
                    watch.end(generation, doing, error)

        return described

    def _operation(self, call: Call, doing: str) -> AbstractContextManager[Span | None]:
        """Return the span of what a call does; None where nobody makes any."""
        if self._tracing is None:
            return nullcontext()
        attributes: conventions.Attributes = {}
        if (identity := current_or_none()) is not None:
            attributes[conventions.TENANT] = identity.tenant
        if isinstance(call.request, Message):
            attributes |= conventions.of_request(call.method, call.request)
            if self._capture:
                attributes |= contents.of_request(doing, call.request)
        return self._tracing.working(conventions.name_of(attributes) or doing, attributes)


class _Watch:
    """One call whose answer is looked at: as a whole for its span, at its first and last message for metrics."""

    def __init__(self, call: Call, span: Span | None, said: contents.Said | None) -> None:
        self._model = str(getattr(call.request, "model", ""))
        self._span = span
        self._said = said
        self._answered = answers.Answered() if span is not None else None
        self._started = time.perf_counter()
        self._first: float | None = None
        self._last: Any = None
        self._streams = call.method.server_streaming
        # a batch tells the tokens of one item after the other, everything else those of the whole at its end
        self._sums = (0, 0) if "Batch" in call.method.name and self._streams else None

    def take(self, message: Any) -> None:
        """Look at a message of the answer."""
        self._last = message
        if self._sums is not None and (tokens := answers.usage(message)) is not None:
            self._sums = (self._sums[0] + tokens[0], self._sums[1] + tokens[1])
        if self._first is None and self._streams and answers.says(message):
            self._first = time.perf_counter() - self._started
        if self._answered is not None:
            self._answered.add(message)
        if self._said is not None:
            self._said.add(message)

    def end(self, generation: Generation | None, doing: str, error: str) -> None:
        """Tell what is known now that the call is over; ``error`` is the code of what ended it, if anything did."""
        whole = time.perf_counter() - self._started
        tokens = self._sums or (answers.usage(self._last) if self._last is not None else None)
        told_late = self._first is None and self._streams and self._sums is None
        if told_late and tokens is not None and doing in conventions.MODELS:
            # its tokens were no text that could be shown before the end
            self._first = whole
        if self._span is not None and self._answered is not None:
            told = self._answered.attributes()
            if self._said is not None:
                told |= self._said.attributes(told.get("gen_ai.response.finish_reasons", ()))
            if self._first is not None:
                told["gen_ai.response.time_to_first_chunk"] = self._first
            if error:
                told[conventions.ERROR] = error
            self._span.set_attributes(told)
            if conventions.ERROR in told:
                self._span.set_status(Status(StatusCode.ERROR))
        if generation is None:
            return
        generation.done(doing, self._model, error, whole)
        if tokens is not None:
            generation.used(doing, self._model, tokens)
            if self._first is not None:
                generation.streamed(doing, self._model, self._first, whole, tokens[1])


class _Watched:
    """A call's context whose streamed messages are looked at on their way out."""

    def __init__(self, context: Context, watch: _Watch) -> None:
        self._context = context
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        """Return what the context itself has."""
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Send a message."""
        self._watch.take(message)
        await self._context.write(message)


def _named(call: Call) -> bool:
    """Tell the RPC's span whose call it is and of which session; return whether there is one."""
    known = trace.current.get()
    span = otel.get_current_span()
    if known is None or not known.sampled or not span.is_recording():
        return False
    identity = current_or_none()
    if identity is not None:
        span.set_attribute(conventions.TENANT, identity.tenant)
    if isinstance(call.request, Message):
        span.set_attributes(conventions.of_any(call.request))
    return True
