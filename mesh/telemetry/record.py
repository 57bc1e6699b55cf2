"""Sends spans to the observability service of the mesh, each to the record of the tenant whose call it was.

The batch processor calls it from a thread of its own, so its channel is a blocking one. A span of no tenant goes
nowhere. Its own calls are never sampled, else every export would make the next one necessary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import grpc
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from llamastack.observability.v1 import trace_pb2 as pb
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from mesh.auth.config import AuthConfig
from mesh.client import target
from mesh.credentials import TlsConfig
from mesh.errors import from_rpc
from mesh.identity import Identity, acting_as
from mesh.json_text import value_of
from mesh.renewal import Renewal
from mesh.telemetry import conventions
from mesh.telemetry.trace import begin

_TIMEOUT_S: Final = 5.0
_SCOPES: Final = frozenset({"observability:write"})
_LOG: Final = "/llamastack.observability.v1.ObservabilityService/LogSpans"
_STATUS: Final = {StatusCode.OK: pb.SPAN_STATUS_OK, StatusCode.ERROR: pb.SPAN_STATUS_ERROR}
_CONTEXT: Final = {
    conventions.SESSION: "session_id",
    conventions.TURN: "turn_id",
    conventions.RUN: "run_id",
}
_LONGEST_ID: Final = 256


class RecordExporter(SpanExporter):
    """Exports spans to an observability service.

    Args:
        address: host:port of the service.
        service: the deployable that the spans are of, as in ``inference``.
        auth: how this process proves whom it speaks for.
        tls: how it connects; renewed files count from the next export on.
    """

    def __init__(self, address: str, service: str, auth: AuthConfig, tls: TlsConfig) -> None:
        def connect() -> grpc.Channel:
            credentials, where = tls.channel(), target(address)
            return grpc.insecure_channel(where) if credentials is None else grpc.secure_channel(where, credentials)

        self._channel = connect()
        self._renewal = Renewal(tls.files, connect)
        self._stub: Any = ObservabilityServiceStub(self._channel)
        self._subject = f"service:{service}"
        self._companion = auth.companion(service)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; what can't be sent is dropped."""
        if (fresh := self._renewal.fresh()) is not None:
            self._channel.close()
            self._channel, self._stub = fresh, ObservabilityServiceStub(fresh)
        by_tenant: defaultdict[str, list[pb.Span]] = defaultdict(list)
        for span in spans:
            tenant = (span.attributes or {}).get(conventions.TENANT)
            if isinstance(tenant, str):
                by_tenant[tenant].append(message_of(span))
        try:
            for tenant, messages in by_tenant.items():
                self._send(tenant, pb.LogSpansRequest(spans=messages))
        except grpc.RpcError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the connection."""
        self._channel.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: nothing is held back here."""
        return True

    def _send(self, tenant: str, request: pb.LogSpansRequest) -> None:
        """Store spans of a tenant; those that name a run which is not the tenant's are stored as of none."""
        for _ in range(len(request.spans) + 1):
            try:
                self._stub.LogSpans(request, timeout=_TIMEOUT_S, metadata=self._metadata(tenant))
                return
            except grpc.RpcError as error:
                lost = from_rpc(error)  # type: ignore[arg-type]  # what a blocking call raises has code and trailers too
                if lost.details.resource is None or not _forget_run(request, lost.details.resource[1]):
                    raise

    def _metadata(self, tenant: str) -> tuple[tuple[str, str | bytes], ...]:
        pairs = begin(0.0).pairs()
        if self._companion is None:
            return pairs
        with acting_as(Identity(self._subject, tenant, _SCOPES)):
            return (*pairs, *self._companion.outgoing(_LOG)[0])


def _forget_run(request: pb.LogSpansRequest, run_id: str) -> bool:
    """Take a run from the spans that name it; return whether any did."""
    naming = [span for span in request.spans if span.HasField("run_id") and span.run_id == run_id]
    for span in naming:
        span.ClearField("run_id")
    return bool(naming)


def message_of(span: ReadableSpan) -> pb.Span:
    """Return a span as the contract has it; the attributes that name its session, turn and run become fields."""
    context = span.get_span_context()
    assert context is not None
    made = pb.Span(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        name=span.name[:1024] or "span",
        status=_STATUS.get(span.status.status_code, pb.SPAN_STATUS_UNSPECIFIED),
    )
    if span.parent is not None:
        made.parent_span_id = f"{span.parent.span_id:016x}"
    made.started_at.FromNanoseconds(span.start_time or 0)
    made.ended_at.FromNanoseconds(span.end_time or span.start_time or 0)
    service = span.resource.attributes.get("service.name")
    attributes = {**dict(span.attributes or {}), **({"service.name": service} if service else {})}
    for name, value in attributes.items():
        if name == conventions.TENANT:
            continue
        plain: Any = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        made.attributes[name].CopyFrom(value_of(plain))
        field = _CONTEXT.get(name)
        if field is not None and isinstance(value, str) and 0 < len(value) <= _LONGEST_ID:
            setattr(made, field, value)
    return made
