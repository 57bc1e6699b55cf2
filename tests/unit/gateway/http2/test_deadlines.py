"""Deadlines of calls."""

from __future__ import annotations

import asyncio

from gateway.http2.deadlines import Deadlines


class Call:
    """Notes that its deadline has passed."""

    def __init__(self) -> None:
        self.passed = asyncio.Event()

    def late(self) -> None:
        self.passed.set()


async def test_a_near_deadline_comes_when_it_is_due() -> None:
    call = Call()
    Deadlines(asyncio.get_running_loop()).add(call, 0.01)
    async with asyncio.timeout(10):
        await call.passed.wait()


async def test_a_far_deadline_comes_soon_after_it_is_due() -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    ahead = [0.0]

    class Ahead:
        """The loop's clock, put forward."""

        call_later = loop.call_later

        def time(self) -> float:
            return now + ahead[0]

    deadlines = Deadlines(Ahead())  # type: ignore[arg-type]  # it has what is asked of it
    late, done, later = Call(), Call(), Call()
    deadlines.add(late, 10.0)
    deadlines.add(done, 10.0).discard(done)
    deadlines.add(later, 600.0).discard(later)
    ahead[0] = 11.0
    async with asyncio.timeout(10):
        await late.passed.wait()
    assert not done.passed.is_set()
