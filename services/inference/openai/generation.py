"""Generations of one request or of several side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from services.inference.engine import Delta, Engine, GenerateRequest, Usage

Item = TypeVar("Item")


def generate(engine: Engine, request: GenerateRequest) -> AsyncGenerator[Delta]:
    """Return the deltas of a request; greedy choices are all the same, so that one is generated for all of them."""
    if request.sampling.n > 1 and not request.sampling.temperature:
        return _repeated(engine, request)
    return engine.generate(request)


async def _repeated(engine: Engine, request: GenerateRequest) -> AsyncGenerator[Delta]:
    n = request.sampling.n
    single = replace(request, sampling=replace(request.sampling, n=1))
    async with aclosing(engine.generate(single)) as deltas:
        async for delta in deltas:
            usage = Usage(delta.usage.prompt, delta.usage.completion * n, delta.usage.cached)
            for index in range(n):
                yield replace(delta, index=index, usage=usage)


async def side_by_side(sources: Sequence[AsyncGenerator[Item]], at_once: int) -> AsyncGenerator[tuple[int, Item]]:
    """Yield what the sources give with their positions, as it comes; the first failure ends them all.

    Args:
        sources: closed at the end, however that comes.
        at_once: how many of them run; a slow caller holds them back.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield 0, item
        return
    places, room = asyncio.Semaphore(at_once), asyncio.Semaphore(at_once)
    queue: asyncio.Queue[tuple[int, Item] | None] = asyncio.Queue()

    async def run(position: int) -> None:
        async with places, aclosing(sources[position]) as source:
            async for item in source:
                await room.acquire()
                queue.put_nowait((position, item))

    async def run_all() -> None:
        async with asyncio.TaskGroup() as group:
            for position in range(len(sources)):
                group.create_task(run(position))

    running = asyncio.create_task(run_all())
    running.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (entry := await queue.get()) is not None:
            room.release()
            yield entry
        await _outcome(running)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _outcome(running: asyncio.Task[None]) -> None:
    """Wait for the end and raise the first failure as itself."""
    try:
        await running
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
