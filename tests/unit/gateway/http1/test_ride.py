"""Coroutines without a task."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from gateway.http1.ride import Ride

variable: ContextVar[str] = ContextVar("variable", default="outside")


async def test_it_runs_at_once_until_it_waits_and_then_to_its_end() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()
    seen: list[object] = []

    async def work() -> None:
        seen.append("begun")
        seen.append(await future)
        await asyncio.sleep(0)
        seen.append("ended")

    over = loop.create_future()
    Ride(work(), over.set_result).start()
    assert seen == ["begun"]
    future.set_result("woken")
    assert await over is None
    assert seen == ["begun", "woken", "ended"]


async def test_each_has_a_context_of_its_own() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    seen: list[str] = []

    async def work() -> None:
        variable.set("inside")
        await future
        seen.append(variable.get())

    over = loop.create_future()
    Ride(work(), over.set_result).start()
    assert variable.get() == "outside"
    future.set_result(None)
    await over
    assert (seen, variable.get()) == (["inside"], "outside")


async def test_it_is_cancelled_where_it_waits_and_may_go_on() -> None:
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    async def work() -> None:
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
        await asyncio.sleep(0)
        seen.append("went on")

    over = loop.create_future()
    ride = Ride(work(), over.set_result)
    ride.start()
    ride.cancel()
    assert await over is None
    assert seen == ["cancelled", "went on"]


async def test_it_is_cancelled_though_what_it_waited_for_has_come() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    async def work() -> None:
        await future
        await loop.create_future()

    over = loop.create_future()
    ride = Ride(work(), over.set_result)
    ride.start()
    future.set_result(None)
    ride.cancel()
    assert isinstance(await over, asyncio.CancelledError)


async def test_what_it_ends_with_is_told() -> None:
    async def work() -> None:
        raise ValueError("broken")

    over = asyncio.get_running_loop().create_future()
    Ride(work(), over.set_result).start()
    assert repr(await over) == "ValueError('broken')"
