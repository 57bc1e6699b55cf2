"""Metrics of RPCs by OpenTelemetry's conventions, served for Prometheus on a port of their own.

``rpc.server.call.duration`` and ``rpc.client.call.duration`` become histograms in seconds with the attributes
``rpc.system.name``, ``rpc.method``, ``rpc.response.status_code`` and ``error.type`` (empty if the call went well), see
https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/. Dots become underscores, as Prometheus has it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from mesh.credentials import TlsConfig
from mesh.telemetry.durations import Durations, Series

LABELS: Final = ("rpc_system_name", "rpc_method", "rpc_response_status_code", "error_type")
SYSTEM: Final = "grpc"
_SCRAPE_S: Final = 30.0
"""Seconds that a scraper may be silent."""

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
    """The HTTP port that Prometheus scrapes; it has threads of its own.

    With a mutual ``tls`` a scraper has to show a certificate of the CA; renewed files count from the next scrape on.

    Raises:
        OSError: the port can't be opened, or a TLS file can't be read.
    """

    def __init__(self, metrics: Metrics, host: str, port: int, tls: TlsConfig | None = None) -> None:
        context = None if tls is None else tls.https()
        self._server = _Server((host, port), metrics.registry)
        if context is not None:
            # hands are shaken in the thread of the connection, so that a silent client holds up nobody else
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Close the port and wait for the thread's end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    timeout = _SCRAPE_S

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingWSGIServer):
    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__(address, _Handler)
        self.set_app(make_wsgi_app(registry))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a scraper that broke off or may not scrape."""
