"""A future that wakes a ride at once."""

from __future__ import annotations

import asyncio

from gateway.http1.ride import Ride
from gateway.prompt import Prompt


def riding(prompt: Prompt, seen: list[str]) -> Ride:
    """Start a ride that notes how its wait ended."""

    async def work() -> None:
        try:
            await prompt
            seen.append("woken")
        except asyncio.CancelledError:
            seen.append("cancelled")

    ride = Ride(work(), lambda error: seen.append("over"))
    ride.start()
    return ride


async def test_a_ride_goes_on_before_fulfil_returns() -> None:
    prompt, seen = Prompt(loop=asyncio.get_running_loop()), list[str]()
    riding(prompt, seen)
    prompt.fulfil()
    assert seen == ["woken", "over"]
    prompt.fulfil()
    assert seen == ["woken", "over"]


async def test_a_cancelled_ride_ends_once_whoever_cancelled_it_is_done() -> None:
    prompt, seen = Prompt(loop=asyncio.get_running_loop()), list[str]()
    riding(prompt, seen).cancel()
    prompt.fulfil()
    assert seen == []
    await asyncio.sleep(0)
    assert seen == ["cancelled", "over"]


async def test_a_task_is_woken_by_the_event_loop() -> None:
    prompt = Prompt(loop=asyncio.get_running_loop())

    async def work() -> str:
        await prompt
        return "woken"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    prompt.fulfil()
    assert not task.done()
    assert await task == "woken"
