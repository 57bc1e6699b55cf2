"""Doing several things abreast, so many at a time and no more, in the order in which they were given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


async def abreast(room: asyncio.Semaphore, do: Callable[[Item], Awaitable[Done]], items: Iterable[Item]) -> list[Done]:
    """Return what ``do`` makes of each item; the first one that fails ends the others and its error is raised."""

    async def one(item: Item) -> Done:
        async with room:
            return await do(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
