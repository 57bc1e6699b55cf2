"""The gRPC client of every service: one channel per address, with balancing, retries and propagation.

``client.channel("inference:7101")`` gives a channel for generated stubs. A failed call raises
``grpc.aio.AioRpcError``; ``mesh.errors.from_rpc`` turns it into the MeshError that the callee raised. A servicer that
lets it pass sends that error on unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from mesh.channel import Companion, PropagatingChannel
from mesh.config import setting
from mesh.credentials import TlsConfig
from mesh.renewal import Renewal, RenewedChannel
from mesh.serviceconfig import service_config
from mesh.transport import TransportConfig, client_options

_SCHEMES = ("dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:", "xds:")


@dataclass(frozen=True)
class ClientConfig:
    """How a service calls others."""

    timeout_s: float | None = setting(
        "CALL_TIMEOUT_S", 60.0, "Seconds for a unary call to another service where no deadline is set; empty for none."
    )
    deadline_margin_s: float = setting(
        "DEADLINE_MARGIN_S", 0.1, "Seconds of the remaining deadline that are kept back for the own answer."
    )
    max_attempts: int = setting("MAX_ATTEMPTS", 4, "Tries of an RPC that may be repeated, the first included; 1 to 5.")
    tls: TlsConfig = field(default_factory=TlsConfig)
    transport: TransportConfig = field(default_factory=TransportConfig)

    def __post_init__(self) -> None:
        """Refuse what the gRPC runtime would silently change."""
        if not 1 <= self.max_attempts <= 5:
            raise ValueError("MAX_ATTEMPTS: 1 to 5 is possible")
        if self.deadline_margin_s < 0:
            raise ValueError("DEADLINE_MARGIN_S: seconds can't be negative")


class Client:
    """Makes and keeps the channels to other services.

    Args:
        config: how to call.
        companions: what adds metadata to each call: the identity's signer, telemetry.
        connect: makes the channel of an address; None for the gRPC runtime's.
    """

    def __init__(
        self, config: ClientConfig, companions: Sequence[Companion] = (), connect: Callable[[str], Any] | None = None
    ) -> None:
        self._config = config
        self._companions = tuple(companions)
        self._make = connect or (lambda address: self._connect(target(address), None))
        self._channels: dict[str, PropagatingChannel] = {}

    def channel(self, address: str) -> grpc.aio.Channel:
        """Return the channel to an address, the same one each time; it connects with its first call.

        ``host:port`` is resolved by DNS and calls go round robin over all its addresses, which balances them over the
        replicas behind a headless Service. A target with a scheme (``unix:/path``) is taken as it is.
        """
        known = self._channels.get(address)
        if known is None:
            known = self._channels[address] = self._propagating(self._make(address))
        return known

    def open(self, address: str, name: str | None = None) -> grpc.aio.Channel:
        """Return a new channel of the gRPC runtime to an address; whoever opens it closes it.

        ``name`` is the host whose certificate a server with TLS has to show, for an address that was found by a name.
        """
        return self._propagating(self._connect(target(address), name))

    def _propagating(self, inner: Any) -> PropagatingChannel:
        config = self._config
        return PropagatingChannel(inner, self._companions, config.timeout_s, config.deadline_margin_s)

    def _connect(self, address: str, name: str | None) -> grpc.aio.Channel:
        options = [
            *client_options(self._config.transport),
            ("grpc.service_config", service_config(self._config.max_attempts)),
            ("grpc.service_config_disable_resolution", 1),
        ]
        if name is not None:
            options.append(("grpc.default_authority", name))
        tls = self._config.tls

        def make() -> grpc.aio.Channel:
            credentials = tls.channel()
            if credentials is None:
                return grpc.aio.insecure_channel(address, options=options)
            return grpc.aio.secure_channel(address, credentials, options=options)

        return make() if tls.ca is None else RenewedChannel(make(), Renewal(tls.files, make))

    async def close(self, grace: float | None = None) -> None:
        """Close all channels; calls under way have ``grace`` seconds to finish."""
        while self._channels:
            _, channel = self._channels.popitem()
            await channel.close(grace)

    async def __aenter__(self) -> Self:
        """Return the client; leaving the block closes its channels."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Close all channels."""
        await self.close()


def target(address: str) -> str:
    """Return the gRPC target of an address."""
    return address if address.startswith(_SCHEMES) else f"dns:///{address}"
