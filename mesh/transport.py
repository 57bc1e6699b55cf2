"""What both ends of a connection have to agree on: sizes, keepalive, ages. The one place of channel arguments.

See https://grpc.io/docs/guides/keepalive/: a server that sees pings more often than it permits drops the connection, so
the client's pace and the server's permission stand side by side here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from mesh.config import setting

Options: TypeAlias = list[tuple[str, str | int]]

KEEPALIVE_S: Final = 30
"""Seconds of silence after which a client asks whether the server is still there."""
CLIENT_TIMEOUT_S: Final = 20
"""Seconds that a client waits for the answer before it gives the connection up."""
SERVER_TIMEOUT_S: Final = 120
"""The same for a server. The C core makes it TCP_USER_TIMEOUT as well, which resets the connection of a client that
reads nothing for so long while data waits for it: a caller that is stopped or starved for seconds is slow, not gone."""
KEEPALIVE_PERMIT_S: Final = 10
"""Seconds between pings that a server tolerates; below KEEPALIVE_S, because clocks and queues are not exact."""
METADATA_BYTES: Final = 32 * 1024
"""Metadata per call, provider data and error details included."""


@dataclass(frozen=True)
class TransportConfig:
    """Limits of connections. A message over ``max_message_bytes`` is refused by whoever would send or receive it."""

    max_message_bytes: int = setting("MAX_MESSAGE_BYTES", 64 * 1024 * 1024, "Largest gRPC message, in bytes.")
    max_connection_age_s: int = setting(
        "MAX_CONNECTION_AGE_S", 1800, "Seconds after which a server asks clients to connect anew, to spread the load."
    )
    connection_age_grace_s: int = setting(
        "CONNECTION_AGE_GRACE_S", 3600, "Seconds that calls on such a connection have to finish."
    )

    def __post_init__(self) -> None:
        """Refuse limits that nothing could work with."""
        if self.max_message_bytes < 1024:
            raise ValueError("MAX_MESSAGE_BYTES: at least 1024 are needed")
        if self.max_connection_age_s < 1 or self.connection_age_grace_s < 1:
            raise ValueError("MAX_CONNECTION_AGE_S and CONNECTION_AGE_GRACE_S: at least 1 second is needed")


def _common(config: TransportConfig) -> Options:
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def server_options(config: TransportConfig) -> Options:
    """Return the channel arguments of a server."""
    return [
        *_common(config),
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_PERMIT_S * 1000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_PERMIT_S * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        # a server finds dead clients as well, at a lazier pace
        ("grpc.keepalive_time_ms", 4 * KEEPALIVE_S * 1000),
        ("grpc.keepalive_timeout_ms", SERVER_TIMEOUT_S * 1000),
        ("grpc.max_connection_age_ms", config.max_connection_age_s * 1000),
        ("grpc.max_connection_age_grace_ms", config.connection_age_grace_s * 1000),
        # two processes that share a port by accident would each get half of the connections
        ("grpc.so_reuseport", 0),
    ]


def client_options(config: TransportConfig) -> Options:
    """Return the channel arguments of a client, without the service config."""
    return [
        *_common(config),
        ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
        ("grpc.keepalive_timeout_ms", CLIENT_TIMEOUT_S * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_reconnect_backoff_ms", 5000),
        ("grpc.initial_reconnect_backoff_ms", 200),
        # a channel doesn't wait out the backoff that another channel earned at the same address
        ("grpc.use_local_subchannel_pool", 1),
    ]
