"""A connection's deadline."""

from __future__ import annotations

import asyncio

from gateway.http1.clock import Clock, Due


async def test_the_deadline_that_was_set_last_comes_and_no_other() -> None:
    come: asyncio.Future[Due] = asyncio.get_running_loop().create_future()
    clock = Clock(come.set_result)
    clock.set(0.001, Due.HEAD)
    clock.set(60, Due.CUT)
    clock.set(0.03, Due.IDLE)
    async with asyncio.timeout(10):
        assert await come is Due.IDLE


async def test_without_anything_due_nothing_comes() -> None:
    come: list[Due] = []
    clock = Clock(come.append)
    clock.set(0.001, Due.HEAD)
    clock.due = None
    await asyncio.sleep(0.02)
    assert come == []
    clock.set(60, Due.IDLE)
    clock.stop()
