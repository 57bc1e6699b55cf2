"""Deadlines of calls. Far ones are looked at together, once a second, since a timer for each is not worth its cost.

The service knows the deadline too and keeps it to the millisecond; a far one is kept here for when it does not.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

_FAR_S = 10.0


class Late(Protocol):
    """Something that has a deadline."""

    def late(self) -> None:
        """Note that the deadline has passed."""


class Place(Protocol):
    """Where a deadline is kept."""

    def discard(self, call: Late, /) -> None:
        """Let a call have no deadline any more."""


class _Timer:
    """The timer of one call."""

    __slots__ = ("_handle",)

    def __init__(self, handle: asyncio.TimerHandle) -> None:
        self._handle = handle

    def discard(self, _: Late, /) -> None:
        self._handle.cancel()


class Deadlines:
    """The deadlines of one event loop's calls; a far one is noticed at most two seconds late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._seconds: dict[int, set[Late]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: Late, seconds: float) -> Place:
        """Have ``late`` called after so many seconds, unless it is discarded from what is returned."""
        if seconds < _FAR_S:
            return _Timer(self._loop.call_later(seconds, call.late))
        second = math.ceil(self._loop.time() + seconds)
        calls = self._seconds.get(second)
        if calls is None:
            calls = self._seconds[second] = set()
            if self._timer is None:
                self._timer = self._loop.call_later(1.0, self._look)
        calls.add(call)
        return calls

    def _look(self) -> None:
        now = self._loop.time()
        # a second without calls is as good as none
        for second in [second for second, calls in self._seconds.items() if second <= now or not calls]:
            for call in tuple(self._seconds.pop(second)):
                call.late()
        self._timer = self._loop.call_later(1.0, self._look) if self._seconds else None
