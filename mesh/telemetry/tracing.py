"""Spans: made with the OpenTelemetry SDK for sampled traces, and not made at all for the others.

An unsampled call costs the reading of one header; its trace context still travels on, so that every hop decides alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import AttributeValue

from mesh.telemetry.trace import Trace, begin, current, read

_SCOPE: Final = "altiplano.mesh"


class Tracing:
    """Decides on sampling and makes the spans of a process.

    Args:
        service: ``service.name`` of the spans.
        ratio: the share of the traces begun here that are sampled; a trace begun elsewhere is as its caller decided.
        processor: gets the finished spans; None makes no spans, whatever callers decided.
    """

    def __init__(self, service: str, ratio: float, processor: SpanProcessor | None) -> None:
        self._ratio = ratio if processor is not None else 0.0
        self._provider: TracerProvider | None = None
        if processor is not None:
            # this class has decided before the SDK is asked
            resource = Resource.create({"service.name": service})
            self._provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
            self._provider.add_span_processor(processor)
            self._tracer = self._provider.get_tracer(_SCOPE)

    @contextmanager
    def serving(self, name: str, carrier: Mapping[str, str], attributes: Mapping[str, str]) -> Iterator[Span | None]:
        """Run the block as a SERVER span of the trace in the carrier, or of a new one; None if it is not sampled.

        The block sets attributes and status; an exception that leaves it is not recorded, since the codes of RPCs
        say what counts as an error.
        """
        incoming = read(carrier)
        trace = incoming or begin(self._ratio)
        if not self.keeps(trace):
            with _carried(trace):
                yield None
            return
        with self.keeping(name, trace, attributes, begun=incoming is None) as span:
            yield span

    def keeps(self, trace: Trace) -> bool:
        """Return whether spans of a trace are made."""
        return trace.sampled and self._provider is not None

    def begin(self) -> Trace:
        """Return a new trace."""
        return begin(self._ratio)

    @contextmanager
    def keeping(self, name: str, trace: Trace, attributes: Mapping[str, str], *, begun: bool) -> Iterator[Span]:
        """Run the block as a SERVER span of a trace of which spans are made, its first one if it was ``begun`` here."""
        parent = otel_context.Context() if begun else _as_parent(trace)
        span = self._tracer.start_span(name, context=parent, kind=SpanKind.SERVER, attributes=dict(attributes))
        with _within(span):
            yield span

    @contextmanager
    def resuming(self, name: str, trace: Trace | None, attributes: Mapping[str, str | int]) -> Iterator[Span | None]:
        """Run the block as an INTERNAL span of a trace that was left; None if it is not sampled.

        The span follows the one that the trace was left in, which need not be over, nor ever be told of: its process
        may have died. ``None`` for a trace begins a new one.
        """
        known = trace or self.begin()
        if not self.keeps(known):
            with _carried(known):
                yield None
            return
        parent = otel_context.Context() if trace is None else _as_parent(known)
        span = self._tracer.start_span(name, context=parent, kind=SpanKind.INTERNAL, attributes=dict(attributes))
        with _within(span):
            yield span

    def calling(self, name: str, attributes: Mapping[str, str]) -> tuple[Trace | None, Span | None]:
        """Return the trace that a call to another service carries and its CLIENT span, which the caller ends.

        Without a current trace there is nothing to carry; without sampling there is no span.
        """
        trace = current.get()
        if self._provider is None or trace is None or not trace.sampled:
            return trace, None
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=dict(attributes))
        return _trace_of(span), span

    @contextmanager
    def working(self, name: str, attributes: Mapping[str, AttributeValue]) -> Iterator[Span | None]:
        """Run the block as an INTERNAL span of the call that runs now; None if its trace is not sampled."""
        trace = current.get()
        if trace is None or not self.keeps(trace):
            yield None
            return
        span = self._tracer.start_span(name, kind=SpanKind.INTERNAL, attributes=dict(attributes))
        with _within(span):
            yield span

    def close(self) -> None:
        """Send what is still held back and end the sending; it takes as long as the exporter's timeout at most."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def _carried(trace: Trace) -> Iterator[None]:
    """Run the block in a trace, which calls to other services carry on."""
    token = current.set(trace)
    try:
        yield
    finally:
        current.reset(token)


@contextmanager
def _within(span: Span) -> Iterator[None]:
    """Run the block in a span and end it."""
    outer = otel_context.attach(otel.set_span_in_context(span))
    try:
        with _carried(_trace_of(span)):
            yield
    finally:
        otel_context.detach(outer)
        span.end()


def _as_parent(trace: Trace) -> otel_context.Context:
    """Return an OpenTelemetry context in which the trace is the parent."""
    remote = otel.SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([trace.state]) if trace.state else None,
    )
    return otel.set_span_in_context(otel.NonRecordingSpan(remote), otel_context.Context())


def _trace_of(span: Span) -> Trace:
    found = span.get_span_context()
    return Trace(f"{found.trace_id:032x}", f"{found.span_id:016x}", True, found.trace_state.to_header())
