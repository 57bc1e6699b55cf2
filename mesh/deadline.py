"""The time that is left for the current call, and how much of it a call to another service gets.

All times are seconds; instants are those of ``time.monotonic``. The deadline interceptor opens the scope of a call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("mesh_deadline", default=None)


def remaining() -> float | None:
    """Return the seconds that are left, never below 0, or None where no deadline is set."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def budget(wanted: float | None, margin: float) -> float | None:
    """Return the timeout for a call below the current one: what is left minus the margin, and at most ``wanted``.

    The margin is the time that this service needs to answer once the callee gave up; it never takes more than half of
    what is left, so that a short deadline still leaves the callee something.
    """
    deadline = _deadline.get()
    if deadline is None:
        return wanted
    left = max(0.0, deadline - time.monotonic())
    left -= min(margin, left / 2)
    return left if wanted is None else min(wanted, left)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Run the block with a deadline that many seconds ahead, or with an earlier one that is set already.

    It only tells ``remaining`` and ``budget``; it does not interrupt anything by itself.
    """
    if seconds is None:
        yield
        return
    outer = _deadline.get()
    mine = time.monotonic() + seconds
    token = _deadline.set(mine if outer is None else min(outer, mine))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def without() -> Iterator[None]:
    """Run the block without a deadline; meant for work that outlives the call that asked for it."""
    token = _deadline.set(None)
    try:
        yield
    finally:
        _deadline.reset(token)
