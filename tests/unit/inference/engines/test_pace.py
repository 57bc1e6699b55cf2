"""Streams take turns once there are more of them than pieces can be delivered."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from services.inference.engines.pace import Pace, Voice

SECONDS = 10.0


@dataclass
class Stream:
    """One that speaks: whether its end is there, and its part in the pace."""

    pace: Pace
    sequences: int = 1
    over: bool = False

    def voice(self) -> Voice:
        return self.pace.voice(self.sequences, lambda: self.over)


async def rested(voice: Voice) -> float:
    """Return the seconds of one pause."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(SECONDS):
        await voice.rest()
    return loop.time() - began


def goes_on(voice: Voice) -> bool:
    """Tell whether a stream may speak again without any pause."""
    resting = voice.rest()
    try:
        resting.send(None)
    except StopIteration:
        return True
    resting.close()
    return False


async def test_few_streams_do_not_wait() -> None:
    pace = Pace(1000)
    with Stream(pace).voice() as voice:
        assert goes_on(voice)
        assert pace.pause_s == 0.0


async def test_a_stream_among_many_waits_as_long_as_all_of_them_take() -> None:
    pace = Pace(1000)
    with ExitStack() as stack:
        voices = [stack.enter_context(Stream(pace).voice()) for _ in range(50)]
        pauses = await asyncio.gather(*(rested(voice) for voice in voices))
        assert pace.pause_s == pytest.approx(0.05)
        again = await rested(voices[0])
    assert max(pauses) >= 0.04
    assert again >= 0.05
    assert pace.speaking == 0


async def test_a_request_for_several_sequences_takes_as_many_turns() -> None:
    pace = Pace(1000)
    with Stream(pace, sequences=40).voice() as voice:
        assert await rested(voice) >= 0.04
        assert pace.speaking == 40


async def test_a_stream_that_has_not_spoken_makes_nobody_wait() -> None:
    pace = Pace(1000)
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(Stream(pace).voice())
        assert goes_on(stack.enter_context(Stream(pace).voice()))


async def test_the_end_of_a_stream_is_not_held_back() -> None:
    pace = Pace(1)
    stream = Stream(pace, sequences=100)
    with stream.voice() as voice:
        pause = asyncio.ensure_future(rested(voice))
        await asyncio.sleep(0)
        stream.over = True
        # its turn would be in 100 seconds
        assert await pause < SECONDS


async def test_a_stream_that_is_broken_off_leaves_no_turn_behind() -> None:
    pace = Pace(1)
    with Stream(pace, sequences=100).voice() as voice:
        pause = asyncio.ensure_future(rested(voice))
        await asyncio.sleep(0)
        pause.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pause
    assert pace.speaking == 0
    with Stream(pace).voice() as voice:
        voice_pause = asyncio.ensure_future(rested(voice))
        await asyncio.sleep(0)
        assert not voice_pause.done()
        voice_pause.cancel()


async def test_without_a_bound_nobody_waits() -> None:
    pace = Pace(0)
    with Stream(pace, sequences=10_000).voice() as voice:
        assert goes_on(voice)
