"""How much of something each of many may take per minute: a bucket for each that fills evenly.

A bucket holds what one minute brings, so that a burst of that size is let through after a quiet minute. What is only
known afterwards (tokens of an answer) may be taken beyond what is there; the next one then waits until it is made up.
Each process counts for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_MINUTE: Final = 60.0
_MOST: Final = 10_000


class Rate:
    """Buckets by key, each full at first.

    Args:
        per_minute: what comes in each minute, and what fits in.
        clock: seconds from any origin that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / _MINUTE
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def wait(self, key: str, amount: float = 1.0) -> float:
        """Return the seconds until ``amount`` can be taken; 0 if it can be now."""
        return max(0.0, (min(amount, self._most) - self._level(key)) / self._per_second)

    def take(self, key: str, amount: float = 1.0) -> None:
        """Take ``amount``, though it may be more than there is."""
        if len(self._levels) >= _MOST:
            self._forget()
        self._levels[key] = (self._level(key) - amount, self._clock())

    def _level(self, key: str) -> float:
        level, at = self._levels.get(key, (self._most, 0.0))
        return min(self._most, level + (self._clock() - at) * self._per_second) if key in self._levels else level

    def _forget(self) -> None:
        """Drop the buckets that are full again: they are as those that never were."""
        self._levels = {key: kept for key, kept in self._levels.items() if self._level(key) < self._most}
