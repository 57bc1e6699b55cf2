"""A connection's deadline, which moves with every request and seldom comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from math import inf


class Due(Enum):
    """What happens at a connection's deadline."""

    HEAD = "the head is late"
    IDLE = "nothing was asked for too long"
    CUT = "the client does not take what is left"


class Clock:
    """One deadline. The timer behind it is set anew only when it is due, or would be too late.

    Args:
        late: called at the deadline with what it was for.
    """

    __slots__ = ("_at", "_fires", "_late", "_loop", "_timer", "due")

    def __init__(self, late: Callable[[Due], None]) -> None:
        self.due: Due | None = None
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._at = 0.0
        self._fires = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float, due: Due) -> None:
        """Set the deadline so many seconds ahead."""
        self.due = due
        self._at = at = self._loop.time() + seconds
        if at < self._fires:
            self._arm(at)

    def stop(self) -> None:
        """Let no deadline come any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, at: float) -> None:
        self.stop()
        self._fires = at
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._fires = inf
        if self.due is None:
            return
        if self._loop.time() < self._at:
            self._arm(self._at)
        else:
            self._late(self.due)
