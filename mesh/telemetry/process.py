"""The telemetry of one process, put together from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from mesh.auth.config import AuthConfig
from mesh.config import ConfigError, setting
from mesh.credentials import TlsConfig
from mesh.interceptors.semantics import Semantics
from mesh.interceptors.telemetry import Telemetry as TelemetryInterceptor
from mesh.loopback import is_loopback
from mesh.telemetry.companion import TelemetryCompanion
from mesh.telemetry.generation import Generation
from mesh.telemetry.logs import configure_logs
from mesh.telemetry.metrics import Metrics, MetricsEndpoint
from mesh.telemetry.record import RecordExporter
from mesh.telemetry.tracing import Tracing

_EXPORT_TIMEOUT_S = 5


@dataclass(frozen=True)
class TelemetryConfig:
    """Where traces go, where metrics are served, how logs look."""

    otlp_endpoint: str | None = setting(
        "ALTIPLANO_OTLP_ENDPOINT", None, "OTLP/gRPC collector for traces, as in http://127.0.0.1:4317; empty for none."
    )
    otlp_ca: Path | None = setting(
        "ALTIPLANO_OTLP_CA",
        None,
        "PEM file of the authorities that the collector's certificate is checked by; empty for the system's.",
    )
    record: str | None = setting(
        "ALTIPLANO_OBSERVABILITY_ADDRESS",
        None,
        "host:port of the service that keeps traces by tenant and session; empty for none.",
    )
    trace_ratio: float = setting("ALTIPLANO_TRACE_RATIO", 0.1, "Share of new traces that are kept, 0 to 1.")
    capture_contents: bool = setting(
        "ALTIPLANO_CAPTURE_CONTENTS",
        False,
        "Put prompts, answers, tool arguments and results into the spans of sampled calls; they may be confidential.",
    )
    metrics_host: str = setting("METRICS_HOST", "127.0.0.1", "Address that metrics are served on.")
    metrics_port: int | None = setting("METRICS_PORT", None, "Port of the Prometheus endpoint; empty for none.")
    metrics_insecure: bool = setting(
        "METRICS_INSECURE", False, "Serve metrics beyond loopback to everybody, without client certificates."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting("LOG_LEVEL", "info", "Least level to log.")
    log_format: Literal["json", "text"] = setting("LOG_FORMAT", "json", "How log lines look.")
    tls: TlsConfig = field(default_factory=TlsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)

    def __post_init__(self) -> None:
        """Refuse what can't be meant."""
        if not 0 <= self.trace_ratio <= 1:
            raise ValueError("ALTIPLANO_TRACE_RATIO: 0 to 1 is possible")
        if self.otlp_ca is not None and not (self.otlp_endpoint or "").startswith("https://"):
            raise ValueError("ALTIPLANO_OTLP_CA: is for an ALTIPLANO_OTLP_ENDPOINT with https://")
        exposed = self.metrics_port is not None and not is_loopback(f"{self.metrics_host}:0")
        if exposed and not (self.metrics_insecure or self.tls.mutual):
            raise ValueError(
                f"METRICS_HOST: {self.metrics_host} is beyond loopback: configure mutual TLS or set METRICS_INSECURE"
            )


class ProcessTelemetry:
    """Traces, metrics and logs of a process; ``app.py`` makes it first and closes it last.

    Args:
        config: what is wanted.
        service: the deployable's name, as in ``inference``.

    Raises:
        ConfigError: the file of the collector's authorities can't be read.
    """

    def __init__(self, config: TelemetryConfig, service: str) -> None:
        self._config = config
        self.metrics = Metrics()
        self.tracing = Tracing(f"altiplano-{service}", config.trace_ratio, _processor(config, service))
        self.interceptor = TelemetryInterceptor(self.tracing, self.metrics)
        self.semantics = Semantics(
            Generation(self.metrics.registry), tracing=self.tracing, capture=config.capture_contents
        )
        self.companion = TelemetryCompanion(self.tracing, self.metrics)
        self._service = service
        self._endpoint: MetricsEndpoint | None = None

    def start(self) -> None:
        """Set the logs up and open the metrics endpoint if one is wanted.

        Raises:
            ConfigError: the port can't be opened.
        """
        config = self._config
        configure_logs(self._service, config.log_level, config.log_format)
        if config.metrics_port is not None:
            try:
                self._endpoint = MetricsEndpoint(self.metrics, config.metrics_host, config.metrics_port, config.tls)
            except OSError as error:
                problem = f"METRICS_PORT: {config.metrics_port} can't be opened ({error.strerror})"
                raise ConfigError([problem]) from error

    @property
    def metrics_port(self) -> int | None:
        """The port of the metrics endpoint, the chosen one if 0 was configured; None if there is none."""
        return None if self._endpoint is None else self._endpoint.port

    def show_active(self, active: Callable[[], float]) -> None:
        """Show the number of calls under way as ``rpc_server_active_calls``."""
        self.metrics.gauge("rpc_server_active_calls", "Calls under way.", active)

    def close(self) -> None:
        """Send the last spans and close the endpoint."""
        self.tracing.close()
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None


def _processor(config: TelemetryConfig, service: str) -> SpanProcessor | None:
    """Return what gets the finished spans; None if nobody wants them."""
    exporters: list[SpanExporter] = []
    if config.otlp_endpoint is not None:
        exporters.append(_collector(config.otlp_endpoint, config.otlp_ca))
    if config.record is not None:
        exporters.append(RecordExporter(config.record, service, config.auth, config.tls))
    if not exporters:
        return None
    several = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # the SDK has no types for it
    for exporter in exporters:
        several.add_span_processor(BatchSpanProcessor(exporter))
    return several


def _collector(endpoint: str, ca: Path | None) -> OTLPSpanExporter:
    """Return what sends spans to a collector; without a file https trusts the authorities of the system."""
    credentials = None
    if ca is not None:
        try:
            credentials = grpc.ssl_channel_credentials(ca.read_bytes())
        except OSError as error:
            raise ConfigError([f"ALTIPLANO_OTLP_CA: the file can't be read ({error.strerror})"]) from error
    insecure = not endpoint.startswith("https://")
    return OTLPSpanExporter(endpoint=endpoint, insecure=insecure, credentials=credentials, timeout=_EXPORT_TIMEOUT_S)
