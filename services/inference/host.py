"""Keeps one engine alive: starts it, notices its death, starts a new one.

An :class:`EngineHost` is itself an :class:`~services.inference.engine.Engine`, so that its callers need not know. It
does not repeat requests: those that ran when the engine died end with ``BackendUnavailable``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress

from mesh.errors import BackendUnavailable, MeshError
from services.inference.engine import (
    Delta,
    Engine,
    EngineInfo,
    GenerateRequest,
    ScoredInput,
    Scores,
    TextInput,
    Vectors,
)

log = logging.getLogger(__name__)

CHECK_SECONDS = 0.25
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


class EngineHost:
    """An engine that comes back after its death, with its adapters."""

    def __init__(self, make: Callable[[], Engine], changed: Callable[[bool], None] = lambda serving: None) -> None:
        """``make`` builds a fresh engine; ``changed`` is told whenever the host begins or ceases to serve."""
        self._make = make
        self._changed = changed
        self._engine: Engine | None = None
        self._adapters: dict[str, str] = {}
        self._died = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> EngineInfo:
        """Start the first engine and return when it answers; afterwards the host watches over it."""
        info = await self._launch()
        self._keeper = asyncio.create_task(self._keep(), name="engine-host")
        return info

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        """Pass the request to the engine that is alive now."""
        engine = self._current()
        try:
            async with aclosing(engine.generate(request)) as deltas:
                async for delta in deltas:
                    yield delta
        except BackendUnavailable:
            self._died.set()
            raise

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        """Pass the tokens to the engine that is alive now."""
        return await self._current().detokenize(token_ids)

    async def embed(self, inputs: Sequence[TextInput]) -> Vectors:
        """Pass the texts to the engine that is alive now."""
        return await self._current().embed(inputs)

    async def score(self, texts: Sequence[ScoredInput]) -> Sequence[Scores]:
        """Pass the texts to the engine that is alive now."""
        return await self._current().score(texts)

    async def load_adapter(self, name: str, folder: str) -> int:
        """Load an adapter; it is loaded again whenever the engine comes back."""
        rank = await self._current().load_adapter(name, folder)
        self._adapters[name] = folder
        return rank

    async def unload_adapter(self, name: str) -> None:
        """Unload an adapter for good."""
        await self._current().unload_adapter(name)
        self._adapters.pop(name, None)

    async def check(self) -> None:
        """Return when the engine is alive."""
        await self._current().check()

    def running(self) -> int:
        """Return the number of requests that the engine holds."""
        return 0 if self._engine is None else self._engine.running()

    def cache_use(self) -> float:
        """Return the share of the engine's key-value cache that requests hold, 0 to 1."""
        return 0.0 if self._engine is None else self._engine.cache_use()

    async def stop(self) -> None:
        """Stop watching and stop the engine."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        await self._retire()

    def _current(self) -> Engine:
        if self._engine is None:
            raise BackendUnavailable("the engine is being restarted", retry_after_s=FIRST_PAUSE_SECONDS)
        return self._engine

    async def _launch(self) -> EngineInfo:
        engine = self._make()
        try:
            info = await engine.start()
            for name, folder in self._adapters.items():
                await engine.load_adapter(name, folder)
        except BaseException:
            await engine.stop()
            raise
        self._died.clear()
        self._engine = engine
        self._changed(True)
        return info

    async def _retire(self) -> None:
        engine, self._engine = self._engine, None
        self._changed(False)
        if engine is not None:
            await engine.stop()

    async def _keep(self) -> None:
        while True:
            await self._dead()
            log.error("the engine has died; starting a new one")
            await self._retire()
            await self._relaunch()
            log.info("the engine is back")

    async def _dead(self) -> None:
        """Return when the engine is dead."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._died.wait(), CHECK_SECONDS)
            self._died.clear()
            try:
                await self._current().check()
            except BackendUnavailable:
                return

    async def _relaunch(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._launch()
            except MeshError as error:
                log.error("the engine did not start (%s); trying again in %.1f s", error, pause)  # no defect
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                return
