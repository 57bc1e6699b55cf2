"""Asks a service of this pod or machine for its health, over TLS where it speaks TLS: ``python -m mesh.probe memory``.

The service's own settings (``ALTIPLANO_MEMORY_BIND``, ``ALTIPLANO_MEMORY_TLS_*``) say where and how. A second argument
is the full name of a gRPC service; without it the process as a whole is asked for. Ends with 0 when the answer is
SERVING, with 1 when it is not or none comes, with 2 for settings that can't work. For kubelets, whose own gRPC probe
knows no TLS.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from mesh.config import ConfigError, load, setting
from mesh.credentials import TlsConfig
from mesh.loopback import UNIX

TIMEOUT_S: Final = 4.0
_ANY: Final = frozenset({"0.0.0.0", "[::]", ""})


@dataclass(frozen=True)
class ProbeConfig:
    """Where the service listens, and its files."""

    bind: str = setting("BIND", help="Address that gRPC is served on: host:port, or unix:path.")
    tls: TlsConfig = field(default_factory=TlsConfig)

    @property
    def target(self) -> str:
        """The address to ask at: loopback where the service listens on every address."""
        if self.bind.startswith(UNIX):
            return self.bind
        host, _, port = self.bind.rpartition(":")
        return f"127.0.0.1:{port}" if host in _ANY else self.bind


def healthy(config: ProbeConfig, service: str) -> bool:
    """Tell whether the service answers SERVING within four seconds."""
    credentials = config.tls.channel()
    made = (
        grpc.insecure_channel(config.target) if credentials is None else grpc.secure_channel(config.target, credentials)
    )
    with made as channel:
        stub: Any = HealthStub(channel)
        try:
            answer = stub.Check(HealthCheckRequest(service=service), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            print(f"probe: {error.code().name}", file=sys.stderr)
            return False
    if answer.status != HealthCheckResponse.SERVING:
        print(f"probe: {HealthCheckResponse.ServingStatus.Name(answer.status)}", file=sys.stderr)
    return bool(answer.status == HealthCheckResponse.SERVING)


def main(arguments: list[str]) -> int:
    """Return the exit code."""
    if not 1 <= len(arguments) <= 2:
        print("usage: python -m mesh.probe SERVICE [GRPC_SERVICE]", file=sys.stderr)
        return 2
    try:
        config = load(ProbeConfig, os.environ, service=arguments[0])
        return 0 if healthy(config, "".join(arguments[1:])) else 1
    except (ConfigError, OSError) as error:
        print(f"probe: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
