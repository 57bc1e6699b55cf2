"""What the gateway lets be seen of its requests."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from gateway.accesslog import AccessLog
from gateway.app import Gateway, Surroundings
from gateway.observe import Watcher
from gateway.upstream import GrpcUpstreams
from mesh.client import Client, ClientConfig
from mesh.telemetry.companion import TelemetryCompanion
from mesh.telemetry.metrics import Metrics
from mesh.telemetry.tracing import Tracing
from tests.integration.gateway.conftest import config_of
from tests.integration.gateway.echo import TYPED, Echo, contract
from tests.ports import free_address

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Scene:
    """A gateway with everything that observes it."""

    def __init__(self, ratio: float = 0.0) -> None:
        self.spans = InMemorySpanExporter()
        self.tracing = Tracing("altiplano-gateway", ratio, SimpleSpanProcessor(self.spans))
        self.metrics = Metrics()
        self.lines = io.StringIO()
        self.log = AccessLog(self.lines, "json")

    async def get(self, echo: Echo, *urls: str, **headers: str) -> list[str]:
        """Ask a fresh gateway, stop it again and return what it answered."""
        async with Client(ClientConfig(), [TelemetryCompanion(self.tracing, self.metrics)]) as client:
            watcher = Watcher(self.tracing, self.metrics, self.log)
            surroundings = Surroundings(GrpcUpstreams(client), watcher)
            gateway = Gateway(config_of(echo.address), contract(), surroundings)
            transport = httpx.ASGITransport(app=gateway.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                answers = [(await http.get(url, headers=headers)).text for url in urls]
        await self.log.close()
        return answers

    def named(self) -> dict[str, Any]:
        """Return the finished spans by name."""
        return {span.name: span for span in self.spans.get_finished_spans()}


async def test_a_sampled_trace_goes_through_the_gateway_to_the_service(echo: Echo) -> None:
    scene = Scene()
    await scene.get(echo, "/echo/find?name=n", traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="a=b")
    spans = scene.named()
    server = spans["GET /llamastack.echo.v1.EchoService/Find"]
    client = spans["llamastack.echo.v1.EchoService/Find"]
    assert f"{server.context.trace_id:032x}" == TRACE
    assert f"{server.parent.span_id:016x}" == PARENT
    assert client.parent.span_id == server.context.span_id
    assert echo.last.metadata["traceparent"] == f"00-{TRACE}-{client.context.span_id:016x}-01"
    assert echo.last.metadata["tracestate"] == "a=b"
    assert dict(server.attributes) == {
        "http.request.method": "GET",
        "http.route": "/llamastack.echo.v1.EchoService/Find",
        "url.path": "/echo/find",
        "http.response.status_code": 200,
        "llamastack.tenant": "default",
    }


async def test_a_trace_that_is_not_sampled_is_passed_on_and_leaves_no_span(echo: Echo) -> None:
    scene = Scene(ratio=1.0)
    await scene.get(echo, "/echo/find", traceparent=f"00-{TRACE}-{PARENT}-00")
    assert echo.last.metadata["traceparent"] == f"00-{TRACE}-{PARENT}-00"
    assert scene.named() == {}


async def test_a_request_without_a_trace_begins_one(echo: Echo) -> None:
    scene = Scene(ratio=1.0)
    await scene.get(echo, "/echo/find", traceparent="broken")
    server = scene.named()["GET /llamastack.echo.v1.EchoService/Find"]
    assert server.parent is None
    assert re.fullmatch(rf"00-{server.context.trace_id:032x}-[0-9a-f]{{16}}-01", echo.last.metadata["traceparent"])


async def test_requests_are_counted_by_route_and_status_and_probes_are_not(echo: Echo) -> None:
    scene = Scene()
    await scene.get(echo, "/echo/find", "/echo/find?code=13", "/echo/find?code=5", "/nothing", "/healthz", "/readyz")
    text = generate_latest(scene.metrics.registry).decode()
    counts = dict(re.findall(r"^http_server_request_duration_seconds_count{(.*)} (\S+)$", text, re.MULTILINE))
    route = "/llamastack.echo.v1.EchoService/Find"

    def labels(route: str, status: int, error: str = "") -> str:
        return (
            f'error_type="{error}",http_request_method="GET",http_response_status_code="{status}",http_route="{route}"'
        )

    assert counts == {
        labels(route, 200): "1.0",
        labels(route, 500, "INTERNAL"): "1.0",
        labels(route, 404): "1.0",
        labels("", 404): "1.0",
    }


async def test_an_error_in_mid_stream_is_counted_as_one(echo: Echo) -> None:
    scene = Scene()
    await scene.get(echo, "/echo/watch?count=1&code=13")
    text = generate_latest(scene.metrics.registry).decode()
    assert 'error_type="INTERNAL",http_request_method="GET",http_response_status_code="200"' in text


async def test_the_log_has_no_query_and_no_secret_of_a_path(echo: Echo) -> None:
    scene = Scene()
    await scene.get(echo, "/echo/find?name=private", "/echo/things/sk-abcdefgh12345678")
    lines = [json.loads(line) for line in scene.lines.getvalue().splitlines()]
    assert [line["path"] for line in lines] == ["/echo/find", "/echo/things/***"]
    assert "private" not in scene.lines.getvalue()


async def test_the_log_says_why_a_service_did_not_answer_and_callers_do_not_hear_it(echo: Echo) -> None:
    scene, nobody = Scene(), free_address()
    [heard] = await scene.get(replace(echo, address=nobody), "/echo/find")
    await scene.get(echo, f"/echo/find?code=14&owner={TYPED}")
    away, said = [json.loads(line) for line in scene.lines.getvalue().splitlines()]
    assert (away["status"], away["error"], said["status"], said["error"]) == (503, "UNAVAILABLE", 503, "UNAVAILABLE")
    assert nobody in away["cause"]
    assert nobody.partition(":")[2] not in heard
    assert "cause" not in said


@pytest.mark.parametrize(
    ("form", "line"), [("text", r"\d\d:\d\d:\d\d GET /echo/find 404 NOT_FOUND \(it failed\) \d+\.\d ms\n")]
)
async def test_the_text_form_is_for_humans(echo: Echo, form: Any, line: str) -> None:
    scene = Scene()
    scene.log = AccessLog(scene.lines, form)
    await scene.get(echo, "/echo/find?code=5")
    assert re.fullmatch(line, scene.lines.getvalue())
