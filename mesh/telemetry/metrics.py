"""Metrics of RPCs by OpenTelemetry's conventions, served for Prometheus on a port of their own.

``rpc.server.call.duration`` and ``rpc.client.call.duration`` become histograms in seconds with the attributes
``rpc.system.name``, ``rpc.method``, ``rpc.response.status_code`` and ``error.type`` (empty if the call went well), see
https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/. Dots become underscores, as Prometheus has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.exposition import start_http_server

from mesh.credentials import TlsConfig
from mesh.telemetry.durations import Durations, Series

LABELS: Final = ("rpc_system_name", "rpc_method", "rpc_response_status_code", "error_type")
SYSTEM: Final = "grpc"

# codes that are the server's own fault; the others are the caller's (semconv for gRPC, "error.type")
_SERVER_ERRORS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def server_error(code: str) -> str:
    """Return ``error.type`` of a served call that ended with a code such as ``OK``; empty if it is no error."""
    return code if code in _SERVER_ERRORS else ""


def client_error(code: str) -> str:
    """Return ``error.type`` of a call that was made and ended with a code; empty if it is no error."""
    return "" if code == "OK" else code


class Metrics:
    """The metrics of a process. ``registry`` takes further ones of a service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._server = Durations(
            "rpc_server_call_duration_seconds", "Duration of an incoming call.", LABELS, self.registry
        )
        self._client = Durations(
            "rpc_client_call_duration_seconds", "Duration of an outgoing call.", LABELS, self.registry
        )
        # finding a child by its labels costs more than adding to it
        self._served: dict[tuple[str, str], Series] = {}
        self._called: dict[tuple[str, str], Series] = {}

    def served(self, method: str, code: str, seconds: float) -> None:
        """Note an incoming call of ``package.Service/Method``."""
        child = self._served.get((method, code))
        if child is None:
            child = self._served[method, code] = self._server.series(SYSTEM, method, code, server_error(code))
        child.observe(seconds)

    def called(self, method: str, code: str, seconds: float) -> None:
        """Note an outgoing call of ``package.Service/Method``."""
        child = self._called.get((method, code))
        if child is None:
            child = self._called[method, code] = self._client.series(SYSTEM, method, code, client_error(code))
        child.observe(seconds)

    def gauge(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Show a number that is read when Prometheus asks, as in the calls under way or the depth of a queue."""
        Gauge(name, help, registry=self.registry).set_function(value)


class MetricsEndpoint:
    """The HTTP port that Prometheus scrapes; it has a thread of its own.

    With a mutual ``tls`` a scraper has to show a certificate of the CA.
    """

    def __init__(self, metrics: Metrics, host: str, port: int, tls: TlsConfig | None = None) -> None:
        options: dict[str, Any] = {}
        if tls is not None and tls.certificate is not None:
            options = {
                "certfile": str(tls.certificate),
                "keyfile": str(tls.key),
                "client_cafile": str(tls.ca) if tls.ca else None,
                "client_auth_required": tls.mutual,
            }
        self._server, self._thread = start_http_server(port, host, metrics.registry, **options)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Close the port and wait for the thread's end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
