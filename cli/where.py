"""Where the commands of a noun find their service, and how they call it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click
import grpc.aio

from cli.access import client
from cli.deployables import serving
from cli.failure import failure_of
from mesh.errors import from_rpc

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Where:
    """Where a service is, and whether to print JSON."""

    address: str
    as_json: bool

    def ask(self, work: Callable[[grpc.aio.Channel], Coroutine[Any, Any, Result]]) -> Result:
        """Return what some calls over a channel to the service give.

        Raises:
            Failure: the service refused, failed or can't be reached.
        """

        async def run() -> Result:
            async with client() as calls:
                try:
                    return await work(calls.channel(self.address))
                except grpc.aio.AioRpcError as error:
                    raise failure_of(from_rpc(error), self.address) from error

        return asyncio.run(run())


def address_of(area: str, address: str | None) -> str:
    """Return an address that was given, or that of the service of an area on this machine."""
    service = serving(area)
    return address or (service.address if service else "")


class NounGroup(click.Group):
    """The commands of a noun. Its options, the fields of ``Where``, may stand before the command or behind it."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command that knows the group's options too."""
        cmd.params += [_repeated(option) for option in self.params]
        super().add_command(cmd, name)


def _repeated(option: click.Parameter) -> click.Parameter:
    """Return an option of the group for a command, where it wins if it is given."""

    def note(context: click.Context, parameter: click.Parameter, value: str | bool | None) -> None:
        if value and parameter.name is not None:
            context.obj = replace(context.obj, **{parameter.name: value})

    again = copy.copy(option)
    again.expose_value, again.callback = False, note
    return again
