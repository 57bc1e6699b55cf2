"""Watches exchanges from the side: a span for sampled traces, a histogram, a line in the access log.

Spans and metrics follow https://opentelemetry.io/docs/specs/semconv/http/. The route is the RPC's path, so that the
number of series is bounded by the contracts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry.trace import Span, Status, StatusCode

from gateway.accesslog import AccessLog
from gateway.exchange import Exchange
from mesh.telemetry.conventions import TENANT
from mesh.telemetry.durations import Durations, Series
from mesh.telemetry.metrics import Metrics
from mesh.telemetry.trace import TRACEPARENT, TRACESTATE, Trace, current, read
from mesh.telemetry.tracing import Tracing

LABELS = ("http_request_method", "http_route", "http_response_status_code", "error_type")
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
# they would drown the rest
_PROBES = frozenset({"/healthz", "/readyz"})
_TRACEPARENT, _TRACESTATE = TRACEPARENT.encode(), TRACESTATE.encode()


class Watcher:
    """Observes with traces, metrics and, if there is one, an access log."""

    def __init__(self, tracing: Tracing, metrics: Metrics, log: AccessLog | None) -> None:
        self._tracing = tracing
        self._log = log
        self._durations = Durations(
            "http_server_request_duration_seconds",
            "Duration of a request until its response was over.",
            LABELS,
            metrics.registry,
        )
        # finding a child by its labels costs more than adding to it
        self._children: dict[tuple[str, str, int, str], Series] = {}

    def watching(self, exchange: Exchange) -> AbstractContextManager[None]:
        """Return what observes an exchange for the time of a block, in which calls belong to its trace."""
        if exchange.path in _PROBES:
            return nullcontext()
        incoming = None
        if _TRACEPARENT in exchange.headers:
            carrier = {
                TRACEPARENT: exchange.headers[_TRACEPARENT].decode("latin-1"),
                TRACESTATE: exchange.headers.get(_TRACESTATE, b"").decode("latin-1"),
            }
            incoming = read(carrier)
        trace = incoming or self._tracing.begin()
        if trace.sampled and self._tracing.keeps(trace):
            return self._described(exchange, trace, begun=incoming is None)
        return _Unsampled(self, exchange, trace)

    @contextmanager
    def _described(self, exchange: Exchange, trace: Trace, *, begun: bool) -> Iterator[None]:
        with self._tracing.keeping(exchange.verb, trace, {}, begun=begun) as span:
            try:
                yield
            finally:
                self.finished(exchange, current.get())
                _describe(span, exchange)

    def finished(self, exchange: Exchange, trace: Trace | None) -> None:
        """Count an exchange that is over, and note it in the log."""
        seconds = time.perf_counter() - exchange.started
        self._count(exchange, seconds)
        if self._log is not None:
            self._log.note(exchange, trace, seconds)

    def _count(self, exchange: Exchange, seconds: float) -> None:
        error = _error_type(exchange) if exchange.error is not None else ""
        key = (exchange.verb if exchange.verb in _VERBS else "_OTHER", exchange.route, exchange.status, error)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._durations.series(*map(str, key))
        child.observe(seconds)


class _Unsampled:
    """Observes an exchange without a span; a generator would cost as much again."""

    __slots__ = ("_exchange", "_token", "_trace", "_watcher")

    def __init__(self, watcher: Watcher, exchange: Exchange, trace: Trace) -> None:
        self._watcher = watcher
        self._exchange = exchange
        self._trace = trace

    def __enter__(self) -> None:
        self._token = current.set(self._trace)

    def __exit__(self, *_: object) -> None:
        current.reset(self._token)
        self._watcher.finished(self._exchange, self._trace)


class Unwatched:
    """Observes nothing."""

    @contextmanager
    def watching(self, exchange: Exchange) -> Iterator[None]:
        """Run the block."""
        yield


def _error_type(exchange: Exchange) -> str:
    """Return the code of what went wrong on our side or in mid-stream; "" where nothing did or the caller erred."""
    if exchange.error is None or (exchange.status != 200 and exchange.status < 500):
        return ""
    return exchange.error.code.name


def _describe(span: Span, exchange: Exchange) -> None:
    span.update_name(f"{exchange.verb} {exchange.route}".rstrip())
    span.set_attribute("http.request.method", exchange.verb)
    span.set_attribute("http.route", exchange.route)
    span.set_attribute("url.path", exchange.path)
    span.set_attribute("http.response.status_code", exchange.status)
    if exchange.identity is not None:
        span.set_attribute(TENANT, exchange.identity.tenant)
    if error := _error_type(exchange):
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
