"""Runs a coroutine without a task: it starts at once, and costs a fraction of what the loop's own bookkeeping does.

For coroutines that await futures of the event loop alone. What asks for the current task (``asyncio.timeout``, most
libraries) needs a real task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from gateway.prompt import Prompt


class Ride:
    """One coroutine under way, in a context of its own.

    Args:
        coroutine: what is run.
        ended: called when it has ended, with the exception that it ended with, if any.
    """

    __slots__ = ("_cancelled", "_context", "_coroutine", "_ended", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], ended: Callable[[BaseException | None], None]) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self._context = copy_context()
        self._waits_for: asyncio.Future[Any] | None = None
        self._cancelled = False

    def start(self) -> None:
        """Run until the first wait."""
        self._context.run(self._step)

    def cancel(self) -> bool:
        """Have what is waited for end with a CancelledError; now, or when it next waits."""
        future = self._waits_for
        if future is None or not future.cancel():
            self._cancelled = True
        elif type(future) is Prompt:
            self._resume_soon(future)
        return True

    def uncancel(self) -> int:
        """Take a cancellation as done with."""
        self._cancelled = False
        return 0

    def _step(self, _: object = None) -> None:
        self._waits_for = None
        try:
            if self._cancelled:
                self._cancelled = False
                future = self._coroutine.throw(asyncio.CancelledError())
            else:
                future = self._coroutine.send(None)
        except StopIteration:
            self._ended(None)
        except BaseException as error:  # noqa: BLE001 - as a task does, whoever waits for the end is told
            self._ended(error)
        else:
            self._wait(future)

    def _wait(self, future: asyncio.Future[Any] | None) -> None:
        if future is None:
            # a bare yield, as of asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(self._step, context=self._context)
            return
        future._asyncio_future_blocking = False  # the sign that it was waited for, which a task takes down too
        self._waits_for = future
        if type(future) is Prompt:
            future.resume = self._resume
        else:
            future.add_done_callback(self._step, context=self._context)
        if self._cancelled and future.cancel():
            self._cancelled = False
            if type(future) is Prompt:
                self._resume_soon(future)

    def _resume(self) -> None:
        self._context.run(self._step)

    def _resume_soon(self, future: Prompt) -> None:
        """Have a cancellation arrive as it does from other futures: not while whoever cancels still runs."""
        future.add_done_callback(self._step, context=self._context)
