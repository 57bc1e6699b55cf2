"""Following a job through a restart of its service: the job goes on meanwhile, and so may whoever watches it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import grpc.aio

from mesh.errors import BackendUnavailable, from_rpc

AWAY_S: Final = 120.0
_PAUSE_S: Final = 1.0


@dataclass(slots=True)
class Patience:
    """Bears with a service that is away, for up to ``seconds`` at a time."""

    seconds: float = AWAY_S
    _since: float | None = field(default=None, init=False)

    async def bear(self, error: grpc.aio.AioRpcError) -> None:
        """Return after a moment if the failed call may be made again; raise its error otherwise."""
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if not isinstance(from_rpc(error), BackendUnavailable) or now - self._since >= self.seconds:
            raise error
        await asyncio.sleep(_PAUSE_S)

    def answered(self) -> None:
        """Note that the service is there."""
        self._since = None
