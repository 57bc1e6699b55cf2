"""The inference workers of one model: where they are, a channel to each, and how they are.

An address whose host is a name, such as that of a headless Service, stands for as many replicas as the name has
addresses: the gRPC runtime would go round over them without knowing how busy each is, and without a session's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context

import grpc.aio

from mesh.addresses import Resolve
from mesh.client import Client
from services.inference.remote.naming import Name, Pace, name_in
from services.inference.remote.pool import Pool, Replica
from services.inference.remote.watching import Watcher


class Workers:
    """Keeps the replicas of a pool those that there are, and ``serving`` of each up to date.

    Args:
        pool: gets the replicas.
        client: opens the channels.
        resolve: finds what a name leads to.
        pace: how often names are looked at.
    """

    def __init__(self, pool: Pool, client: Client, resolve: Resolve, pace: Pace) -> None:
        self._pool = pool
        self._client = client
        self._resolve = resolve
        self._pace = pace
        self._watcher = Watcher(self._lost)
        self._channels: dict[Replica, grpc.aio.Channel] = {}
        self._names: dict[Name, asyncio.Task[None]] = {}

    def channel(self, replica: Replica) -> grpc.aio.Channel:
        """Return the channel to a replica of the pool."""
        return self._channels[replica]

    async def start(self, addresses: Sequence[str], seconds: float) -> None:
        """Begin with the workers at these addresses; return once one serves, or after some seconds."""
        for address in addresses:
            name = name_in(address)
            if name is None:
                self._join(Replica(address))
            else:
                following = name.follow(self._resolve, self._found, self._pace)
                # whoever registers the model does not wait for as long as it is followed
                self._names[name] = asyncio.create_task(following, name=f"follow-{name.host}", context=Context())
        await self._watcher.settled(seconds)

    async def stop(self) -> None:
        """Leave all workers; requests that are there still are cancelled."""
        for task in self._names.values():
            task.cancel()
        await asyncio.gather(*self._names.values(), return_exceptions=True)
        self._names.clear()
        await asyncio.gather(*map(self._leave, list(self._pool.replicas)))

    def _lost(self) -> None:
        """Look soon where the workers are now that one is away."""
        for name in self._names:
            name.doubt()

    async def _found(self, name: Name, addresses: Sequence[str]) -> None:
        """Let the replicas of a name be these; what is no longer there leaves when it is done and not the last."""
        known = {replica.address: replica for replica in self._pool.replicas if replica.name == name.address}
        for address in addresses:
            if address not in known:
                self._join(Replica(address, name.address), name.host)
        for replica in known.values():
            replica.leaving = replica.address not in addresses
        others = any(replica.open for replica in self._pool.replicas)
        for replica in known.values():
            if replica.leaving and not replica.active and (others or not replica.serving):
                await self._leave(replica)

    def _join(self, replica: Replica, host: str | None = None) -> None:
        self._pool.replicas.append(replica)
        self._channels[replica] = self._client.open(replica.address, host)
        self._watcher.watch(replica, self._channels[replica])

    async def _leave(self, replica: Replica) -> None:
        self._pool.replicas.remove(replica)
        await self._watcher.forget(replica)
        await self._channels.pop(replica).close()
