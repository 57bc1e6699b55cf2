"""What watches a process takes up renewed certificates: the port that is scraped, and the exporter of spans."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from cryptography import x509
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from llamastack.observability.v1 import trace_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import (
    ObservabilityServiceServicer,
    add_ObservabilityServiceServicer_to_server,
)
from mesh.auth.config import AuthConfig
from mesh.credentials import TlsConfig
from mesh.server import ServerConfig
from mesh.telemetry import conventions
from mesh.telemetry.metrics import Metrics, MetricsEndpoint
from mesh.telemetry.record import RecordExporter
from mesh.testing import mesh_of
from tests.integration.mesh.certificates import Authority


@contextmanager
def endpoint(tls: TlsConfig) -> Iterator[int]:
    """Serve metrics and yield the port."""
    made = MetricsEndpoint(Metrics(), "127.0.0.1", 0, tls)
    try:
        yield made.port
    finally:
        made.close()


def scraped(port: int, tls: TlsConfig) -> int:
    """Scrape as the owner of a pair; return the serial number of the certificate that was shown."""
    assert tls.certificate is not None
    context = ssl.create_default_context(cafile=tls.ca)
    context.load_cert_chain(tls.certificate, tls.key)
    with urlopen(f"https://127.0.0.1:{port}/metrics", timeout=10, context=context) as response:
        shown = response.fp.raw._sock.getpeercert(binary_form=True)
        assert b"rpc_server_call_duration_seconds" in response.read()
    return x509.load_der_x509_certificate(shown).serial_number


def serial(tls: TlsConfig) -> int:
    assert tls.certificate is not None
    return x509.load_pem_x509_certificate(tls.certificate.read_bytes()).serial_number


def test_a_scraper_is_shown_renewed_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls, scraper = authority.issue("inference"), authority.issue("prometheus")
    with endpoint(tls) as port:
        before = serial(tls)
        assert scraped(port, scraper) == before
        renewed = serial(authority.issue("inference"))
        assert renewed != before
        assert scraped(port, scraper) == renewed


def test_a_scraper_of_another_authority_is_refused_before_and_after_the_authority_is_renewed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    tls, stranger = authority.issue("inference"), other.issue("prometheus")
    with endpoint(tls) as port:
        with pytest.raises((URLError, ssl.SSLError, ConnectionError)):
            scraped(port, replace(stranger, ca=authority.file))
        # the authority of the other folder takes over: its file, and a pair that it signed
        for new, old in zip(other.issue("inference").files, tls.files, strict=True):
            old.write_bytes(new.read_bytes())
        assert scraped(port, stranger) == serial(tls)


class Kept(ObservabilityServiceServicer):
    """Keeps the names of spans."""

    def __init__(self) -> None:
        """Begin with none."""
        self.names: list[str] = []

    async def LogSpans(self, request: trace_pb2.LogSpansRequest, context: Any) -> trace_pb2.LogSpansResponse:
        self.names += [span.name for span in request.spans]
        return trace_pb2.LogSpansResponse()


async def test_spans_are_sent_with_renewed_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other").issue("gateway")
    own = authority.issue("gateway")
    assert own.certificate is not None
    assert own.key is not None
    good = own.certificate.read_bytes(), own.key.read_bytes()
    assert stranger.certificate is not None
    assert stranger.key is not None
    own.certificate.write_bytes(stranger.certificate.read_bytes())
    own.key.write_bytes(stranger.key.read_bytes())
    kept = Kept()  # type: ignore[abstract]  # the service's other methods are not called
    server = ServerConfig(tls=authority.issue("eval"), drain_grace_s=0)
    async with mesh_of({add_ObservabilityServiceServicer_to_server: kept}, config=server) as mesh:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(RecordExporter(mesh.address, "test", AuthConfig(), own)))
        await asyncio.to_thread(span, provider, "refused")
        own.certificate.write_bytes(good[0])
        own.key.write_bytes(good[1])
        await asyncio.to_thread(span, provider, "taken")
        provider.shutdown()
    assert kept.names == ["taken"]


def span(provider: TracerProvider, name: str) -> None:
    """Make a span of a tenant."""
    provider.get_tracer("test").start_span(name, attributes={conventions.TENANT: "acme"}).end()
