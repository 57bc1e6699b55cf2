"""``altiplano status``: which processes of the mesh do their work."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from cli.failure import UNREACHABLE
from cli.health import states

COLOURS = {"serving": "green", "starting": "yellow", "unreachable": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show every process; exit code 3 unless all of them serve."""
    found = asyncio.run(states())
    if as_json:
        click.echo(json.dumps([asdict(state) for state in found]))
    else:
        table = Table("process", "address", "state")
        for state in found:
            table.add_row(state.name, state.address, f"[{COLOURS[state.word]}]{state.word}[/]")
        Console().print(table)
    if not all(state.serving for state in found):
        raise click.exceptions.Exit(UNREACHABLE)
