"""An engine host hides the death of its engines as far as that can be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from mesh.errors import BackendUnavailable
from services.inference.engine import Delta, GenerateRequest, Prompt
from services.inference.host import EngineHost
from tests.unit.inference.fakes import ScriptedEngine

REQUEST = GenerateRequest("r", Prompt(text="hello"))


@dataclass
class MortalEngine(ScriptedEngine):
    """A scripted engine that can be killed."""

    dead: bool = False

    async def check(self) -> None:
        if self.dead:
            raise BackendUnavailable("it has died", retry_after_s=1.0)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        await self.check()
        async with aclosing(super().generate(request)) as deltas:
            async for delta in deltas:
                yield delta


class Nursery:
    """Makes mortal engines and remembers them, and what the host said of itself."""

    def __init__(self) -> None:
        self.engines: list[MortalEngine] = []
        self.serving: list[bool] = []
        self.changed = asyncio.Event()

    def make(self) -> MortalEngine:
        self.engines.append(MortalEngine())
        return self.engines[-1]

    def say(self, serving: bool) -> None:
        self.serving.append(serving)
        self.changed.set()

    async def until(self, states: list[bool]) -> None:
        async with asyncio.timeout(10):
            while self.serving != states:
                self.changed.clear()
                await self.changed.wait()


async def answer(host: EngineHost) -> str:
    async with aclosing(host.generate(REQUEST)) as deltas:
        return "".join([delta.text async for delta in deltas])


async def test_a_dead_engine_is_replaced_and_its_adapters_come_back() -> None:
    nursery = Nursery()
    host = EngineHost(nursery.make, nursery.say)
    await host.start()
    await host.load_adapter("tuned", "folder")
    nursery.engines[0].dead = True
    await nursery.until([True, False, True])
    assert [engine.stopped for engine in nursery.engines] == [True, False]
    assert nursery.engines[1].adapters == {"tuned": "folder"}
    assert await answer(host) == "Hello there"
    await host.stop()


async def test_a_request_that_meets_a_dead_engine_is_told_and_hastens_the_replacement() -> None:
    nursery = Nursery()
    host = EngineHost(nursery.make, nursery.say)
    await host.start()
    nursery.engines[0].dead = True
    with pytest.raises(BackendUnavailable, match="it has died"):
        await answer(host)
    await nursery.until([True, False, True])
    await host.stop()


async def test_an_engine_that_does_not_start_is_tried_again() -> None:
    nursery = Nursery()
    failures = [BackendUnavailable("no memory", retry_after_s=1.0), None]
    host = EngineHost(lambda: nursery.make(), nursery.say)
    await host.start()

    def reluctant() -> MortalEngine:
        engine = nursery.make()
        engine.failure = failures.pop(0)
        return engine

    host._make = reluctant
    nursery.engines[0].dead = True
    await nursery.until([True, False, True])
    assert [engine.stopped for engine in nursery.engines] == [True, True, False]
    await host.stop()


async def test_stopping_stops_the_engine_and_ends_the_watch() -> None:
    nursery = Nursery()
    host = EngineHost(nursery.make, nursery.say)
    await host.start()
    await host.stop()
    await host.stop()
    assert nursery.engines[0].stopped
    with pytest.raises(BackendUnavailable):
        await answer(host)
    assert len(nursery.engines) == 1
