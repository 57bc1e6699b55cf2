"""Callers of a service that go on until they are told to stop, and what became of their calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import grpc.aio
import httpx

from mesh.errors import from_rpc

PAUSE_S: Final = 0.02
STREAMS: Final = 2

Unary: TypeAlias = Callable[[int, int], Awaitable[Any]]
"""A unary call, made from the number of its caller and that of its step."""


class StreamBroken(Exception):
    """A stream of a gateway ended with an error event, whose reason this is."""


@dataclass(frozen=True)
class Work:
    """What callers of a service do: each of the calls in turn, and streams one after the other; ``close`` is last."""

    calls: Sequence[Unary]
    stream: Callable[[], AsyncIterator[Any]]
    close: Callable[[], Awaitable[None]] | None = None


@dataclass
class Outcome:
    """What a rolling restart did to callers; ``shares`` are those of the new replicas, in order."""

    calls: int = 0
    messages: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)
    shares: list[float] = field(default_factory=list)


class Load:
    """The callers of a piece of work."""

    def __init__(self, work: Work, callers: int) -> None:
        self.outcome = Outcome()
        self._work = work
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(callers)]
        self._streams = [asyncio.create_task(self._follow()) for _ in range(STREAMS)]

    async def stop(self) -> None:
        """Let every caller finish what it is at, and break the streams off."""
        self._stop.set()
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*self._streams, return_exceptions=True)
        if self._work.close is not None:
            await self._work.close()

    async def _call(self, number: int) -> None:
        step = 0
        while not self._stop.is_set():
            step += 1
            for call in self._work.calls:
                self.outcome.calls += 1
                try:
                    await call(number, step)
                except (grpc.aio.AioRpcError, httpx.HTTPError) as error:
                    self.outcome.failures[_told(error)] += 1
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        while True:
            self.outcome.streams[await self._read()] += 1
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> str:
        """Read a stream to its end and return how that came."""
        try:
            async for _ in self._work.stream():
                self.outcome.messages += 1
        except grpc.aio.AioRpcError as error:
            return from_rpc(error).reason_name()
        except StreamBroken as error:
            return str(error)
        except httpx.HTTPError as error:
            return _told(error)
        return "finished"


def _told(error: grpc.aio.AioRpcError | httpx.HTTPError) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name} {error.details()}"
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.text}"
    return f"{type(error).__name__} {error}"
