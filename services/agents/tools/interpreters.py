"""Interpreters for calls: a fresh one each time, or one per session whose variables stay."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from services.agents.sandbox.sandbox import Line, Outcome, Task


class Connecting(Protocol):
    """The sandbox, as far as interpreters need it."""

    problem: str | None

    async def connect(self) -> Line:
        """Return a line to a fresh interpreter.

        Raises:
            WrongState: no sandbox can run here.
        """
        ...


class FreshInterpreters:
    """A fresh interpreter for each call."""

    keeps = False

    def __init__(self, sandbox: Connecting) -> None:
        """Keep the sandbox."""
        self._sandbox = sandbox

    @property
    def problem(self) -> str | None:
        """Why nothing can run."""
        return self._sandbox.problem

    @asynccontextmanager
    async def line(self, key: str | None) -> AsyncIterator[Line]:
        """Give an interpreter and end it afterwards."""
        line = await self._sandbox.connect()
        try:
            yield line
        finally:
            await line.close()


class KeptInterpreters(FreshInterpreters):
    """One interpreter per key, as long as it is used at least every ``idle_s`` seconds; at most ``most`` of them."""

    keeps = True

    def __init__(self, sandbox: Connecting, most: int, idle_s: float) -> None:
        """Keep the sandbox."""
        super().__init__(sandbox)
        self._most = most
        self._idle_s = idle_s
        self._idle: OrderedDict[str, tuple[Line, asyncio.TimerHandle]] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def line(self, key: str | None) -> AsyncIterator[Line]:
        """Give the interpreter of a key; one call at a time uses it, which its session's lock sees to."""
        if key is None:
            async with super().line(None) as fresh:
                yield fresh
            return
        kept = self._idle.pop(key, None)
        if kept is not None:
            kept[1].cancel()
        line = _Watched(kept[0] if kept is not None else await self._sandbox.connect())
        try:
            yield line
        finally:
            if line.alive:
                self._keep(key, line.inner)
            else:
                await line.close()

    async def drop(self, key: str) -> None:
        """End the interpreter of a key."""
        kept = self._idle.pop(key, None)
        if kept is not None:
            kept[1].cancel()
            await kept[0].close()

    async def close(self) -> None:
        """End all interpreters."""
        for key in list(self._idle):
            await self.drop(key)
        await asyncio.gather(*self._closing)

    def _keep(self, key: str, line: Line) -> None:
        timer = asyncio.get_running_loop().call_later(self._idle_s, self._drop_soon, key)
        self._idle[key] = (line, timer)
        if len(self._idle) > self._most:
            self._drop_soon(next(iter(self._idle)))

    def _drop_soon(self, key: str) -> None:
        task = asyncio.get_running_loop().create_task(self.drop(key))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Watched(Line):
    """A line that knows whether the interpreter can run more."""

    def __init__(self, inner: Line) -> None:
        """Begin with one that can't, until a run has ended well."""
        self.inner = inner
        self.alive = False

    async def run(self, task: Task) -> Outcome:
        """Run code."""
        self.alive = False
        outcome = await self.inner.run(task)
        self.alive = outcome.alive and not task.last
        return outcome

    async def close(self) -> None:
        """End the interpreter."""
        await self.inner.close()
