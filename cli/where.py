"""Where the commands of a noun find their service, and how they call it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

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
