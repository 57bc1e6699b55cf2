"""Observes outgoing calls: trace context into their metadata, a CLIENT span if sampled, their duration."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any

import grpc
from opentelemetry.trace import Span, Status, StatusCode

from mesh.channel import Pairs
from mesh.identity import current_or_none
from mesh.methods import HEALTH
from mesh.telemetry.conventions import TENANT
from mesh.telemetry.metrics import SYSTEM, Metrics, client_error
from mesh.telemetry.trace import current
from mesh.telemetry.tracing import Tracing

_OK = grpc.StatusCode.OK


class TelemetryCompanion:
    """Adds ``traceparent`` to outgoing calls and watches them end."""

    def __init__(self, tracing: Tracing, metrics: Metrics) -> None:
        self._tracing = tracing
        self._metrics = metrics

    def outgoing(self, path: str) -> tuple[Pairs, Callable[[Any], None] | None]:
        """Return the trace context for a call and what notes its end."""
        name = _watched(path)
        if not name:
            return (), None
        trace, span = current.get(), None
        if trace is not None and trace.sampled and self._tracing.keeps(trace):
            trace, span = self._tracing.calling(name, {"rpc.system.name": SYSTEM, "rpc.method": name})
            if span is not None and (identity := current_or_none()) is not None:
                span.set_attribute(TENANT, identity.tenant)
        return trace.pairs() if trace is not None else (), _Watch(self._metrics, name, span).ended


class _Watch:
    """Watches one call and notes how it ended."""

    __slots__ = ("_metrics", "_name", "_span", "_started")

    def __init__(self, metrics: Metrics, name: str, span: Span | None) -> None:
        self._metrics = metrics
        self._name = name
        self._span = span
        self._started = time.perf_counter()

    def ended(self, call: Any) -> None:
        """Note how the call ended."""
        # the gateway's own calls know it without a coroutine, which costs as much as all of the rest
        status = getattr(call, "status", None) or _now(call.code())
        # the name of an enum's member is a property in Python
        code = "OK" if status is _OK else status.name
        self._metrics.called(self._name, code, time.perf_counter() - self._started)
        if self._span is not None:
            finish(self._span, code, client_error(code))
            self._span.end()


def finish(span: Span, code: str, error: str) -> None:
    """Note on a span how its call ended."""
    span.set_attribute("rpc.response.status_code", code)
    if error:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))


@lru_cache(maxsize=4096)
def _watched(path: str) -> str:
    """Return the name of the RPC of a path; "" for those of health, which nobody wants to hear of."""
    return "" if path.startswith(f"/{HEALTH}") else path[1:]


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that does not have to wait, as ``code()`` of a call that is done."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value
    coroutine.close()
    raise RuntimeError("the call is not done")
