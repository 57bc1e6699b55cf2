"""Observes outgoing calls: trace context into their metadata, a CLIENT span if sampled, their duration."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from opentelemetry.trace import Span, Status, StatusCode

from mesh.channel import Pairs
from mesh.identity import current_or_none
from mesh.methods import HEALTH
from mesh.telemetry.conventions import TENANT
from mesh.telemetry.metrics import SYSTEM, Metrics, client_error
from mesh.telemetry.tracing import Tracing


class TelemetryCompanion:
    """Adds ``traceparent`` to outgoing calls and watches them end."""

    def __init__(self, tracing: Tracing, metrics: Metrics) -> None:
        self._tracing = tracing
        self._metrics = metrics

    def outgoing(self, path: str) -> tuple[Pairs, Callable[[Any], None] | None]:
        """Return the trace context for a call and what watches it."""
        name = path.removeprefix("/")
        if name.startswith(HEALTH):
            return (), None
        trace, span = self._tracing.calling(name, {"rpc.system.name": SYSTEM, "rpc.method": name})
        if span is not None and (identity := current_or_none()) is not None:
            span.set_attribute(TENANT, identity.tenant)
        return trace.pairs() if trace is not None else (), self._watch(name, span)

    def _watch(self, name: str, span: Span | None) -> Callable[[Any], None]:
        started = time.perf_counter()

        def ended(call: Any) -> None:
            code = _now(call.code()).name
            self._metrics.called(name, code, time.perf_counter() - started)
            if span is not None:
                finish(span, code, client_error(code))
                span.end()

        def watch(call: Any) -> None:
            call.add_done_callback(ended)

        return watch


def finish(span: Span, code: str, error: str) -> None:
    """Note on a span how its call ended."""
    span.set_attribute("rpc.response.status_code", code)
    if error:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that does not have to wait, as ``code()`` of a call that is done."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value
    coroutine.close()
    raise RuntimeError("the call is not done")
