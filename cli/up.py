"""``altiplano up``: the whole mesh on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from cli.deployables import GATEWAY, SERVICES, Deployable, serving
from cli.failure import Failure
from cli.health import free, model_news, states
from cli.supervisor import GivenUp, Program, Supervisor, run_until_signal

POLL_SECONDS = 0.5
# the supervisor waits longer than that, so that what is cut short is still told so
RECORD = "ALTIPLANO_OBSERVABILITY_ADDRESS"
DRAIN, DRAIN_SECONDS = "ALTIPLANO_DRAIN_GRACE_S", "10"
console = Console(stderr=True, highlight=False)


@click.command()
@click.option("--model", help="What to serve instead of the built-in model: a folder, hf://owner/name or s3://…")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(".altiplano"),
    show_default=True,
    help="Where state is kept.",
)
@click.option("--wait", default=900.0, show_default=True, help="Seconds that the mesh may take to become ready.")
def up(model: str | None, data: Path, wait: float) -> None:
    """Start every process on loopback, print where things are, stop them all on Ctrl-C."""
    _check_ports()
    programs = [_service(service, model, data) for service in SERVICES] + [_gateway(data)]
    supervisor = Supervisor(programs, report=lambda name, event: console.print(f"[dim]{name}: {event}[/]"))
    try:
        asyncio.run(run_until_signal(supervisor, lambda: _announce(data, wait)))
    except GivenUp as error:
        raise Failure(str(error)) from error
    except TimeoutError as error:
        raise Failure(f"the mesh was not ready within {wait:g} s; see the logs in {data / 'logs'}") from error


def _check_ports() -> None:
    """Refuse to start beside something that would answer in the mesh's place.

    Raises:
        Failure: an address is taken; it names the first one.
    """
    for deployable in (*SERVICES, GATEWAY):
        if not free(deployable.address):
            raise Failure(
                f"{deployable.name}: {deployable.address} is taken by another program. Is a mesh up already "
                f"(`altiplano status`)? Stop what listens there, or set ALTIPLANO_{deployable.name.upper()}_ADDRESS"
            )


def _service(service: Deployable, model: str | None, data: Path) -> Program:
    prefix = f"ALTIPLANO_{service.name.upper()}_"
    environment = {
        f"{prefix}BIND": service.address,
        f"{prefix}DATA": str(data / service.name),
        # the logs are JSON lines, which the plain lines of gRPC's C core would break
        "GRPC_VERBOSITY": "NONE",
    }
    if service.name == "eval":
        environment[f"{prefix}LM_EVAL_URL"] = f"http://{GATEWAY.address}"
    if service.name == "inference" and model:
        environment[f"{prefix}MODEL"] = model
    return _program(service, environment, data)


def _gateway(data: Path) -> Program:
    upstreams = ",".join(f"{area}={service.address}" for service in SERVICES for area in service.areas)
    environment = {"ALTIPLANO_GATEWAY_BIND": GATEWAY.address, "ALTIPLANO_GATEWAY_UPSTREAMS": upstreams}
    return _program(GATEWAY, environment, data)


def _program(process: Deployable, environment: dict[str, str], data: Path) -> Program:
    command = [sys.executable, "-m", process.module]
    keeper = serving("observability")
    traces = {RECORD: os.environ.get(RECORD, keeper.address)} if keeper else {}
    environment = {DRAIN: os.environ.get(DRAIN, DRAIN_SECONDS), **traces, **environment}
    return Program(process.name, command, environment, data / "logs" / f"{process.name}.log")


async def _announce(data: Path, wait: float) -> None:
    """Return when everything serves; then print where.

    Raises:
        TimeoutError: it took longer than ``wait`` seconds.
    """
    began = time.monotonic()
    told: set[str] = set()
    with console.status("starting") as spinner:
        async with asyncio.timeout(wait):
            while waiting := [state for state in await states() if not state.serving]:
                lacking = ", ".join(f"{state.name} is {state.word}" for state in waiting)
                spinner.update(f"{lacking} ({time.monotonic() - began:.0f} s)")
                for news in await model_news():
                    if news not in told:
                        told.add(news)
                        console.print(f"[yellow]{escape(news)}[/]")
                await asyncio.sleep(POLL_SECONDS)
    console.print(f"The mesh is up after {time.monotonic() - began:.0f} s. Ctrl-C stops it.")
    console.print(f"  REST        http://{GATEWAY.address}")
    console.print(f"  OpenAI API  http://{GATEWAY.address}/v1")
    console.print(f"  Docs        http://{GATEWAY.address}/docs")
    for service in SERVICES:
        console.print(f"  gRPC        {service.address}  ({', '.join(service.areas)})")
    console.print(f"  Logs        {data / 'logs'}")
