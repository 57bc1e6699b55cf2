"""Traces over several hops, metrics for Prometheus, spans to a collector."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.request import urlopen

import grpc
import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import generate_latest

from llamastack.inference.v1.inference_pb2 import CompletionRequest
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError, load
from mesh.credentials import TlsConfig
from mesh.errors import BackendUnavailable, ResourceNotFound
from mesh.interceptors.telemetry import Telemetry
from mesh.server import Attachments
from mesh.telemetry.companion import TelemetryCompanion
from mesh.telemetry.metrics import Metrics
from mesh.telemetry.process import ProcessTelemetry, TelemetryConfig
from mesh.telemetry.trace import TRACEPARENT, Trace, current
from mesh.telemetry.tracing import Tracing
from mesh.testing import mesh_of
from tests.integration.mesh.certificates import Authority
from tests.integration.mesh.health import health_of
from tests.integration.mesh.kinds import NAMES, SERVICE, Behaviour, Kinds, add_kinds, call, request

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = ((TRACEPARENT, f"00-{TRACE}-{PARENT}-01"), ("tracestate", "vendor=1"))
UNSAMPLED = ((TRACEPARENT, f"00-{TRACE}-{PARENT}-00"),)

every_kind = pytest.mark.parametrize("kind", NAMES)


class Observed:
    """The telemetry of a test's process, spans kept in memory."""

    def __init__(self, ratio: float = 0.0) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing("test", ratio, SimpleSpanProcessor(self.exporter))
        self.metrics = Metrics()
        self.attachments = Attachments(outermost=[Telemetry(self.tracing, self.metrics)])

    def client(self) -> Client:
        return Client(ClientConfig(max_attempts=1), [TelemetryCompanion(self.tracing, self.metrics)])

    def mesh(self, behaviour: Behaviour | None = None) -> Any:
        return mesh_of({add_kinds: Kinds(behaviour)}, attachments=self.attachments, client=self.client())

    def count(self, side: str, kind: str, code: str, error: str) -> float | None:
        labels = {"rpc_system_name": "grpc", "rpc_method": f"{SERVICE}/{kind}"}
        labels |= {"rpc_response_status_code": code, "error_type": error}
        return self.metrics.registry.get_sample_value(f"rpc_{side}_call_duration_seconds_count", labels)

    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()


@every_kind
async def test_a_sampled_trace_goes_through_every_hop(kind: str) -> None:
    observed = Observed()
    async with observed.mesh() as last:

        async def forward(requests: list[CompletionRequest]) -> None:
            await call(last.channel, kind, *requests)

        async with observed.mesh(forward) as first:
            await call(first.channel, kind, request("m"), metadata=SAMPLED)
    spans = {span.context.span_id: span for span in observed.spans() if span.context}
    (inner,) = [s for s in spans.values() if s.parent and s.kind is SpanKind.SERVER and s.parent.span_id in spans]
    assert inner.parent is not None
    between = spans[inner.parent.span_id]
    assert between.parent is not None
    outer = spans[between.parent.span_id]
    assert [span.kind for span in (inner, between, outer)] == [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER]
    assert outer.parent is not None
    assert f"{outer.parent.span_id:016x}" == PARENT
    assert {f"{span.context.trace_id:032x}" for span in spans.values() if span.context} == {TRACE}
    assert inner.context is not None
    assert inner.context.trace_state.to_header() == "vendor=1"
    for span in spans.values():
        assert (span.name, span.status.status_code) == (f"{SERVICE}/{kind}", StatusCode.UNSET)
        assert span.attributes == {
            "rpc.system.name": "grpc",
            "rpc.method": f"{SERVICE}/{kind}",
            "rpc.response.status_code": "OK",
            "llamastack.tenant": "default",
        }


@every_kind
async def test_an_unsampled_trace_makes_no_span_and_travels_on(kind: str) -> None:
    observed = Observed(ratio=1.0)
    seen: list[Trace | None] = []

    async def remember(requests: list[CompletionRequest]) -> None:
        seen.append(current.get())

    async with observed.mesh(remember) as last:

        async def forward(requests: list[CompletionRequest]) -> None:
            await call(last.channel, kind, *requests)

        async with observed.mesh(forward) as first:
            await call(first.channel, kind, request("m"), metadata=UNSAMPLED)
    assert observed.spans() == ()
    assert seen == [Trace(TRACE, PARENT, sampled=False)]


@every_kind
@pytest.mark.parametrize(
    ("raised", "code", "server_error"),
    [
        (BackendUnavailable(), "UNAVAILABLE", "UNAVAILABLE"),
        (ResourceNotFound("model", "m"), "NOT_FOUND", ""),
        (ValueError("defect"), "INTERNAL", "INTERNAL"),
    ],
)
async def test_metrics_and_spans_tell_how_a_call_ended(
    kind: str, raised: Exception, code: str, server_error: str
) -> None:
    observed = Observed(ratio=1.0)

    async def fail(requests: list[CompletionRequest]) -> None:
        raise raised

    async with observed.mesh(fail) as mesh:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(mesh.channel, kind, request("m"))
    assert observed.count("server", kind, code, server_error) == 1
    assert observed.count("client", kind, code, code) == 1
    (span,) = observed.spans()
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == code
    assert span.attributes.get("error.type", "") == server_error
    assert span.status.status_code is (StatusCode.ERROR if server_error else StatusCode.UNSET)
    assert span.events == ()


@every_kind
async def test_a_call_that_the_caller_ends_counts_as_cancelled_or_late(kind: str) -> None:
    observed = Observed()
    begun, ended = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(requests: list[CompletionRequest]) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.release()

    async with observed.mesh(wait) as mesh:
        task = asyncio.create_task(call(mesh.channel, kind, request("m")))
        await asyncio.wait_for(begun.wait(), 10)
        task.cancel()
        await asyncio.wait_for(ended.acquire(), 10)
        with pytest.raises(grpc.aio.AioRpcError):
            await call(mesh.channel, kind, request("m"), timeout=0.2)
        await asyncio.wait_for(ended.acquire(), 10)
    assert observed.count("server", kind, "CANCELLED", "") == 1
    assert observed.count("server", kind, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED") == 1
    assert observed.count("client", kind, "CANCELLED", "CANCELLED") == 1
    assert observed.count("client", kind, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED") == 1


async def test_health_is_not_observed() -> None:
    observed = Observed(ratio=1.0)
    async with observed.mesh() as mesh:
        await health_of(mesh.channel, SERVICE)
    assert observed.spans() == ()
    assert "grpc.health" not in generate_latest(observed.metrics.registry).decode()


@pytest.fixture
def own_logs() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("own_logs")
async def test_prometheus_scrapes_the_metrics_on_a_port_of_their_own() -> None:
    process = ProcessTelemetry(TelemetryConfig(metrics_port=0), "test")
    process.start()
    try:
        attachments = Attachments(outermost=[process.interceptor])
        async with mesh_of({add_kinds: Kinds()}, attachments=attachments) as mesh:
            process.show_active(lambda: mesh.server.active)
            await call(mesh.channel, "UnaryUnary", request("m"))
            page = await asyncio.to_thread(scrape, process.metrics_port)
    finally:
        process.close()
    assert (
        'rpc_server_call_duration_seconds_count{error_type="",rpc_method="llamastack.kinds.v1.Kinds/UnaryUnary",'
        'rpc_response_status_code="OK",rpc_system_name="grpc"} 1.0'
    ) in page
    assert "rpc_server_active_calls 0.0" in page


def scrape(port: int | None) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        text: str = response.read().decode()
        return text


class Collector(TraceServiceServicer):
    """Receives spans over OTLP."""

    def __init__(self) -> None:
        self.received: Queue[ExportTraceServiceRequest] = Queue()

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        self.received.put(request)
        return ExportTraceServiceResponse()


@contextmanager
def collecting(tls: TlsConfig | None = None) -> Iterator[tuple[Collector, str]]:
    """Run a collector, with a certificate if there is one; yield it with its endpoint."""
    collector = Collector()
    with futures.ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # generated without types
        credentials = None if tls is None else tls.server()
        if credentials is None:
            endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        else:
            endpoint = f"https://127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
        server.start()
        try:
            yield collector, endpoint
        finally:
            server.stop(None).wait()


async def one_sampled_call(process: ProcessTelemetry) -> None:
    """Serve one call that is sampled, and return when its span has been sent or given up."""
    async with mesh_of({add_kinds: Kinds()}, attachments=Attachments(outermost=[process.interceptor])) as mesh:
        await call(mesh.channel, "UnaryUnary", request("m"), metadata=SAMPLED)
    await asyncio.to_thread(process.close)


async def test_sampled_spans_reach_a_collector_over_otlp() -> None:
    with collecting() as (collector, endpoint):
        process = ProcessTelemetry(TelemetryConfig(otlp_endpoint=endpoint, trace_ratio=0), "test")
        attachments = Attachments(outermost=[process.interceptor])
        async with mesh_of({add_kinds: Kinds()}, attachments=attachments) as mesh:
            await call(mesh.channel, "UnaryUnary", request("m"), metadata=SAMPLED)
            await call(mesh.channel, "UnaryUnary", request("m"))
        await asyncio.to_thread(process.close)
        received = collector.received.get(timeout=10)
    (resource,) = received.resource_spans
    attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert attributes["service.name"] == "altiplano-test"
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == (f"{SERVICE}/UnaryUnary", TRACE, PARENT)


async def test_a_collector_with_tls_is_known_by_the_authorities_of_a_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with collecting(replace(authority.issue("collector"), ca=None)) as (collector, endpoint):
        config = TelemetryConfig(otlp_endpoint=endpoint, otlp_ca=authority.file)
        await one_sampled_call(ProcessTelemetry(config, "test"))
        received = collector.received.get(timeout=10)
    assert [span.name for span in received.resource_spans[0].scope_spans[0].spans] == [f"{SERVICE}/UnaryUnary"]


async def test_a_collector_of_another_authority_gets_nothing(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    with collecting(replace(authority.issue("collector"), ca=None)) as (collector, endpoint):
        await one_sampled_call(ProcessTelemetry(TelemetryConfig(otlp_endpoint=endpoint, otlp_ca=other.file), "test"))
        assert collector.received.empty()


def test_a_file_of_authorities_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    config = TelemetryConfig(otlp_endpoint="https://127.0.0.1:1", otlp_ca=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"ALTIPLANO_OTLP_CA: the file can't be read \(No such file or directory\)"):
        ProcessTelemetry(config, "test")


async def test_without_a_collector_no_span_is_made_whatever_the_caller_decided() -> None:
    process = ProcessTelemetry(TelemetryConfig(trace_ratio=1), "test")
    seen: list[Trace | None] = []

    async def remember(requests: list[CompletionRequest]) -> None:
        seen.append(current.get())

    attachments = Attachments(outermost=[process.interceptor])
    async with mesh_of({add_kinds: Kinds(remember)}, attachments=attachments) as mesh:
        await call(mesh.channel, "UnaryUnary", request("m"), metadata=SAMPLED)
        await call(mesh.channel, "UnaryUnary", request("m"))
    process.close()
    assert seen[0] == Trace(TRACE, PARENT, sampled=True, state="vendor=1")
    assert seen[1] is not None
    assert not seen[1].sampled


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"ALTIPLANO_METRICS_HOST": "0.0.0.0", "ALTIPLANO_METRICS_PORT": "9464"}, "beyond loopback"),
        ({"ALTIPLANO_OTLP_CA": "ca.pem"}, "ALTIPLANO_OTLP_CA: is for an ALTIPLANO_OTLP_ENDPOINT with https://"),
        ({"ALTIPLANO_TRACE_RATIO": "2"}, "ALTIPLANO_TRACE_RATIO: 0 to 1 is possible"),
        ({"ALTIPLANO_LOG_LEVEL": "loud"}, "'loud' is not one of debug, info, warning, error"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(TelemetryConfig, environ)


def test_metrics_beyond_loopback_are_served_when_told_so() -> None:
    environ = {"ALTIPLANO_METRICS_HOST": "0.0.0.0", "ALTIPLANO_METRICS_PORT": "9464", "ALTIPLANO_METRICS_INSECURE": "1"}
    assert load(TelemetryConfig, environ).metrics_port == 9464


@pytest.mark.usefixtures("own_logs")
async def test_a_metrics_port_in_use_is_a_config_error() -> None:
    first = ProcessTelemetry(TelemetryConfig(metrics_port=0), "test")
    first.start()
    second = ProcessTelemetry(TelemetryConfig(metrics_port=first.metrics_port), "test")
    with pytest.raises(ConfigError, match="METRICS_PORT"):
        second.start()
    first.close()
    second.close()
