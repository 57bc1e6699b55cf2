"""Two hosts that lose each other, as often as ``CUTS`` in the environment says, 2 times by default.

The cable is pulled out or swallows every packet, in turn. Whatever is called across it ends within its deadline with an
error that says what is wrong, and works again by itself when the cable is whole.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.cable import Cable, cable
from tests.integration.network.hosts import OK, Callers, hosts

ROUNDS = int(os.environ.get("CUTS", "2"))
DEADLINE_S = 2.0
STREAM_S = 4.0
LATE_S = 1.0
"""What an error may come later than its deadline, on a machine that has other things to do."""
BACK_S = 30.0
TYPED = {"DEADLINE_EXCEEDED", "BACKEND_UNAVAILABLE"}


@pytest.fixture
def joined() -> Iterator[Cable]:
    """Two hosts, where they can be made."""
    try:
        with cable() as made:
            yield made
    except PermissionError as error:
        pytest.skip(f"no networks can be made here: {error}")


async def timed(call: Awaitable[str]) -> tuple[str, float]:
    """Return how a call ended and the seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return await call, loop.time() - began


async def until_back(call: Any) -> float:
    """Return the seconds until a call gets through again."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(BACK_S):
        while await call(DEADLINE_S) != OK:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.1)
    return loop.time() - began


async def cut(
    callers: Callers, lose: Callable[[], None], mend: Callable[[], None]
) -> tuple[dict[str, tuple[str, float]], list[float]]:
    """Cut the network under two streams, call meanwhile, and mend it; return how calls ended and what it took."""
    begun = [asyncio.Event(), asyncio.Event()]
    streams = [
        asyncio.create_task(timed(callers.slow_turn(STREAM_S, begun[0].set))),
        asyncio.create_task(timed(callers.slow_chat(STREAM_S, begun[1].set))),
    ]
    async with asyncio.timeout(STREAM_S):
        await asyncio.gather(*(each.wait() for each in begun))
    await asyncio.to_thread(lose)
    try:
        unary = await asyncio.gather(timed(callers.turn(DEADLINE_S)), timed(callers.chat(DEADLINE_S)))
        ended = await asyncio.gather(*streams)
    finally:
        await asyncio.to_thread(mend)
    back = await asyncio.gather(until_back(callers.turn), until_back(callers.chat))
    return dict(zip(("turn", "chat", "slow turn", "slow chat"), (*unary, *ended), strict=True)), list(back)


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_a_cut_ends_calls_in_time_with_typed_errors_and_heals_by_itself(joined: Cable, tmp_path: Path) -> None:
    async with hosts(joined, tmp_path) as callers:
        ways = [(joined.pull, joined.plug), (joined.swallow, joined.deliver)]
        for number in range(ROUNDS):
            ended, back = await cut(callers, *ways[number % 2])
            print(f"cut {number}: {ended}, back after {', '.join(f'{each:.1f}' for each in back)} s")
            assert {name: reason for name, (reason, _) in ended.items() if reason not in TYPED} == {}
            limits = {"turn": DEADLINE_S, "chat": DEADLINE_S, "slow turn": STREAM_S, "slow chat": STREAM_S}
            assert {name: took for name, (_, took) in ended.items() if took > limits[name] + LATE_S} == {}
