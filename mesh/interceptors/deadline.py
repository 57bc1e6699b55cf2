"""Gives every call a deadline and lets the calls below it know what is left."""

from __future__ import annotations

import asyncio
from typing import Any

from mesh import deadline, metadata
from mesh.errors import DeadlineExceeded
from mesh.methods import Method
from mesh.pipeline import Call, Proceed


class Deadline:
    """Takes over the caller's deadline and what travels on with it, or sets the default one.

    Args:
        unary_s: seconds for a call that brings no deadline and answers with one message; None for no limit.
        stream_s: the same for a call whose answer is a stream.
    """

    def __init__(self, unary_s: float | None, stream_s: float | None) -> None:
        self._unary_s = unary_s
        self._stream_s = stream_s

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` within the deadline."""
        if method.infrastructure:
            return proceed
        default = self._stream_s if method.server_streaming else self._unary_s

        async def limited(call: Call) -> Any:
            metadata.accept(call.metadata)
            brought = call.context.time_remaining()
            # the runtime itself ends a call whose own deadline passes
            if brought is not None or default is None:
                with deadline.within(brought):
                    return await proceed(call)
            with deadline.within(default):
                return await _timed(call, proceed, default)

        return limited


async def _timed(call: Call, proceed: Proceed, limit: float) -> Any:
    """Run the call for at most ``limit`` seconds.

    Raises:
        DeadlineExceeded: the time is over; what ran was cancelled. A TimeoutError of the servicer's own stays one.
    """
    timer = asyncio.timeout(limit)
    try:
        async with timer:
            return await proceed(call)
    except TimeoutError as error:
        if timer.expired():
            raise DeadlineExceeded(f"the call took longer than {limit:g} s") from error
        raise
