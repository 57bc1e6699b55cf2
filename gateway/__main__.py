"""Serves the gateway: ``python -m gateway [--insecure]``.

Settings come from the environment. A bad one is told in one line for each problem, with exit code 2.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence

import uvloop

from gateway.accesslog import AccessLog
from gateway.app import Gateway, Surroundings, Upstreams, load_contract
from gateway.config import GatewayConfig
from gateway.http2.channel import Http2Channel
from gateway.lean import LeanUpstreams
from gateway.observe import Watcher
from gateway.server import HttpServer
from gateway.upstream import GrpcUpstreams
from mesh.arguments import told
from mesh.channel import Companion
from mesh.client import Client
from mesh.config import ConfigError, load
from mesh.telemetry.process import ProcessTelemetry

NAME = "gateway"

_ALLOCATIONS_PER_COLLECTION = 100_000


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until a signal ends it; return the exit code."""
    try:
        config = load(GatewayConfig, told(NAME, arguments, environ), service=NAME)
        telemetry = ProcessTelemetry(config.telemetry, NAME)
        telemetry.start()
        try:
            uvloop.run(_serve(config, telemetry))
        finally:
            telemetry.close()
    except ConfigError as error:
        for problem in error.problems:
            print(f"gateway: {problem}", file=sys.stderr)
        return 2
    return 0


async def _serve(config: GatewayConfig, telemetry: ProcessTelemetry) -> None:
    # channels belong to the event loop that they are made in
    server = build(config, telemetry)
    # what is compiled lives as long as the process, and requests leave no cycles behind: looking seldom is enough
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
    await server.serve()


def build(config: GatewayConfig, telemetry: ProcessTelemetry) -> HttpServer:
    """Return the server of a configuration, not yet listening; to be called in a running event loop.

    Raises:
        ConfigError: an upstream is of an area that no contract has, or the audit log can't be written.
    """
    identity = config.auth.companion(NAME)
    companions: list[Companion] = [telemetry.companion] if identity is None else [identity, telemetry.companion]
    access_log = AccessLog(sys.stderr, config.telemetry.log_format) if config.access_log else None
    edge = config.auth.edge()
    if edge is not None:
        edge.begin()
    surroundings = Surroundings(
        upstreams=_upstreams(config, companions),
        observer=Watcher(telemetry.tracing, telemetry.metrics, access_log),
        authenticator=edge,
        audit=config.audit.open(authenticated=edge is not None),
        stop=access_log.close if access_log is not None else None,
    )
    gateway = Gateway(config, load_contract(), surroundings)
    telemetry.metrics.gauge(
        "http_server_active_requests", "Requests under way.", lambda: float(gateway.admission.active)
    )
    return HttpServer(gateway.app, gateway.admission, config.listen)


def _upstreams(config: GatewayConfig, companions: Sequence[Companion]) -> Upstreams:
    if not config.lean:
        return GrpcUpstreams(Client(config.client, companions))
    largest = config.client.transport.max_message_bytes
    client = Client(config.client, companions, lambda address: Http2Channel(address, largest))
    return LeanUpstreams(client, config.client.max_attempts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
