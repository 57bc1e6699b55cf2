"""The gateway's settings, read once from the environment; names below are after ``ALTIPLANO_GATEWAY_``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from mesh.audit import AuditConfig
from mesh.auth.config import AuthConfig
from mesh.client import ClientConfig
from mesh.config import setting
from mesh.loopback import is_loopback
from mesh.telemetry.process import TelemetryConfig

EVERY_AREA = "*"

_LAST_PORT = 65535
# as browsers write an origin: no path, no slash at the end
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s@?#]+")


@dataclass(frozen=True)
class ListenConfig:
    """Where and how HTTP is served."""

    bind: str = setting("BIND", "127.0.0.1:8080", "Address that HTTP is served on, host:port.")
    insecure: bool = setting("INSECURE", False, "Serve beyond loopback though callers need not prove who they are.")
    certificate: Path | None = setting("HTTPS_CERTIFICATE", None, "PEM file with the certificate chain for HTTPS.")
    key: Path | None = setting("HTTPS_KEY", None, "PEM file with the private key of the certificate.")
    trusted_proxies: tuple[str, ...] = setting(
        "TRUSTED_PROXIES",
        (),
        "Addresses or networks of proxies that X-Forwarded-For is believed of; empty for none.",
    )
    keep_alive_s: int = setting("KEEP_ALIVE_S", 75, "Seconds that an idle connection is kept open.")
    backlog: int = setting("BACKLOG", 2048, "Connections that may wait to be accepted.")
    drain_delay_s: float = setting(
        "DRAIN_DELAY_S", 0.0, "Seconds between an unready /readyz and the refusal of new connections."
    )
    drain_grace_s: float = setting(
        "DRAIN_GRACE_S", 30.0, "Seconds that requests have to finish when the gateway stops."
    )

    def __post_init__(self) -> None:
        """Refuse half a key pair, an address without a port, and a network that is none."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("HTTPS_CERTIFICATE and HTTPS_KEY: give both or neither")
        if not self.bind.rpartition(":")[2].isdigit() or not self.bind.rpartition(":")[0]:
            raise ValueError(f"BIND: {self.bind!r} is not host:port")
        if self.port > _LAST_PORT:
            raise ValueError(f"BIND: {self.port} is no port; the last one is {_LAST_PORT}")
        for entry in self.trusted_proxies:
            if "/" in entry and not _is_network(entry):
                raise ValueError(f"TRUSTED_PROXIES: {entry!r} is not a network, as in 10.0.0.0/8")

    @property
    def host(self) -> str:
        """The host part of the address, without the brackets of IPv6."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of the address; 0 lets the system choose."""
        return int(self.bind.rpartition(":")[2])


@dataclass(frozen=True)
class LimitConfig:
    """What one request and all of them together may take."""

    max_body_bytes: int = setting("MAX_BODY_BYTES", 32 * 1024 * 1024, "Largest body, after decompression as well.")
    body_timeout_s: float = setting("BODY_TIMEOUT_S", 30.0, "Seconds that a body may take to arrive.")
    max_concurrent: int = setting("MAX_CONCURRENT_REQUESTS", 1024, "Requests at a time; more are refused with 429.")
    timeout_s: float | None = setting(
        "TIMEOUT_S", 600.0, "Seconds for a call without a stream when the caller names none; empty for no limit."
    )
    max_timeout_s: float = setting("MAX_TIMEOUT_S", 86400.0, "Seconds that a caller may ask for; more is cut to it.")

    def __post_init__(self) -> None:
        """Refuse limits that nothing could work with."""
        if self.max_body_bytes < 1 or self.max_concurrent < 1:
            raise ValueError("MAX_BODY_BYTES and MAX_CONCURRENT_REQUESTS: at least 1 is needed")


@dataclass(frozen=True)
class JsonConfig:
    """How JSON and streams are read and written; the first six are options that Envoy's transcoder has as well."""

    add_whitespace: bool = setting(
        "ADD_WHITESPACE", False, "Indent documents for humans; lines and events are always written without white space."
    )
    always_print_primitive_fields: bool = setting(
        "ALWAYS_PRINT_PRIMITIVE_FIELDS", True, "Write members without presence also where they hold their default."
    )
    always_print_enums_as_ints: bool = setting("ALWAYS_PRINT_ENUMS_AS_INTS", False, "Write enums as numbers.")
    preserve_proto_field_names: bool = setting(
        "PRESERVE_PROTO_FIELD_NAMES", True, "Name members as the contracts do, else in camelCase."
    )
    ignore_unknown_query_parameters: bool = setting(
        "IGNORE_UNKNOWN_QUERY_PARAMETERS", False, "Skip query parameters that the request does not have."
    )
    auto_mapping: bool = setting(
        "AUTO_MAPPING", False, "Serve every RPC at POST /package.Service/Method too, with its request as the body."
    )
    ignore_unknown_fields: bool = setting(
        "IGNORE_UNKNOWN_FIELDS", False, "Skip members of bodies that the message does not have."
    )
    wrap_urls: bool = setting("WRAP_URLS", False, 'Write URLs as {"uri": "…"} instead of as strings.')
    sse_always: bool = setting(
        "SSE_ALWAYS", False, "Send the one answer as a server-sent event where a stream was possible but not asked for."
    )
    heartbeat_s: float = setting("HEARTBEAT_S", 10.0, "Seconds of silence in a stream before a heartbeat is sent.")
    compress: bool = setting("COMPRESS", True, "Compress responses, streams excepted, for clients that accept it.")


@dataclass(frozen=True)
class CorsConfig:
    """Which web pages may call."""

    origins: tuple[str, ...] = setting(
        "CORS_ORIGINS",
        (),
        "Origins of pages that may call, as in https://app.example; * for all, empty for none. On loopback without "
        "authentication, requests may name their hosts too.",
    )
    credentials: bool = setting("CORS_CREDENTIALS", False, "Let pages of the named origins send cookies.")

    def __post_init__(self) -> None:
        """Refuse what no browser sends as an origin."""
        for origin in self.origins:
            if origin not in ("*", "null") and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"CORS_ORIGINS: {origin!r} is no origin, as in https://app.example")


@dataclass(frozen=True)
class GatewayConfig:
    """Everything that the gateway can be told."""

    upstreams: tuple[str, ...] = setting(
        "UPSTREAMS",
        (),
        "Addresses by area, as in inference=127.0.0.1:7101,memory=127.0.0.1:7103; * stands for every area not named. "
        "What has no address is not part of the deployment.",
    )
    transport: Literal["grpc", "lean"] = setting(
        "TRANSPORT",
        "lean",
        "How services are called: lean with an HTTP/2 client of our own where all of them are host:port in plain text, "
        "which costs a fraction; grpc with the gRPC runtime always.",
    )
    listen: ListenConfig = field(default_factory=ListenConfig)
    limits: LimitConfig = field(default_factory=LimitConfig)
    json: JsonConfig = field(default_factory=JsonConfig)
    cors: CorsConfig = field(default_factory=CorsConfig)
    access_log: bool = setting("ACCESS_LOG", True, "Write one line for each request.")
    audit: AuditConfig = field(default_factory=AuditConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    client: ClientConfig = field(default_factory=ClientConfig)

    def __post_init__(self) -> None:
        """Refuse upstreams that can't be read, and to serve the world without knowing who calls."""
        self.addresses()
        exposed = not is_loopback(self.listen.bind) and not self.listen.insecure
        if exposed and self.auth.edge() is None:
            raise ValueError(
                f"BIND: {self.listen.bind} is beyond loopback: configure authentication, or set INSECURE "
                "(--insecure) to serve all"
            )

    @property
    def lean(self) -> bool:
        """Whether our own HTTP/2 client is to be used and can be."""
        plain = self.client.tls.ca is None and all(_is_host_and_port(address) for address in self.addresses().values())
        return self.transport == "lean" and plain

    def addresses(self) -> Mapping[str, str]:
        """Return the address of each area.

        Raises:
            ValueError: an entry is not area=address, or names an area twice.
        """
        found: dict[str, str] = {}
        for entry in self.upstreams:
            area, equals, address = entry.partition("=")
            if not equals or not area.strip() or not address.strip():
                raise ValueError(f"UPSTREAMS: {entry!r} is not area=address")
            if found.setdefault(area.strip(), address.strip()) != address.strip():
                raise ValueError(f"UPSTREAMS: {area.strip()} has two addresses")
        return found


def _is_host_and_port(address: str) -> bool:
    """Return whether an address is host:port and no gRPC target with a scheme."""
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdigit() and "/" not in host and (":" not in host or host.startswith("["))


def _is_network(entry: str) -> bool:
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return False
    return True
