"""``altiplano config``: every setting of every process, with its value and where that comes from."""

from __future__ import annotations

import json
import os

import click

from cli.failure import USAGE, Failure
from gateway.config import GatewayConfig
from mesh.config import ConfigError, Row, load, rows
from services.agents.config import AgentsConfig
from services.eval.config import EvalConfig
from services.inference.config import InferenceConfig
from services.memory.config import MemoryConfig
from services.training.config import TrainingConfig

CONFIGURATIONS = {
    "inference": InferenceConfig,
    "agents": AgentsConfig,
    "memory": MemoryConfig,
    "training": TrainingConfig,
    "eval": EvalConfig,
    "gateway": GatewayConfig,
}


@click.command()
@click.argument("process", required=False, type=click.Choice(sorted(CONFIGURATIONS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def config(process: str | None, as_json: bool) -> None:
    """Print the settings of PROCESS, or of all; secrets are never shown."""
    found: dict[str, list[Row]] = {}
    for name in [process] if process else CONFIGURATIONS:
        try:
            found[name] = list(rows(load(CONFIGURATIONS[name], os.environ, service=name), service=name))
        except ConfigError as error:
            raise Failure(f"{name}: {error}", USAGE) from error
    if as_json:
        click.echo(
            json.dumps({name: {row.variable: row.value for row in settings} for name, settings in found.items()})
        )
        return
    for name, settings in found.items():
        click.echo(f"# {name}")
        for row in settings:
            mark = "" if row.value == row.default else "  # not the default"
            click.echo(f"# {row.help}\n{row.variable}={row.value}{mark}")
