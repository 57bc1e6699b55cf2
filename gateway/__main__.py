"""Serves the gateway: ``python -m gateway``. Settings come from the environment; exit code 2 is a bad setting."""

from __future__ import annotations

import os
import sys

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig
from gateway.observe import Silent
from gateway.server import HttpServer
from gateway.upstream import GrpcUpstreams
from mesh.client import Client
from mesh.config import ConfigError, load
from mesh.server import is_loopback


def main() -> int:
    """Serve until a signal ends it; return the exit code."""
    try:
        config = load(GatewayConfig, os.environ, service="gateway")
        if not is_loopback(config.listen.bind) and not config.listen.insecure:
            raise ConfigError([f"{config.listen.bind} is beyond loopback: configure authentication, or set INSECURE"])
        gateway = Gateway(config, load_contract(), Surroundings(GrpcUpstreams(Client(config.client)), Silent()))
    except (ConfigError, ValueError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    HttpServer(gateway.app, gateway.admission, config.listen).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
