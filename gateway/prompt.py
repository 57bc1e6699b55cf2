"""A future that wakes a ride at once, where the event loop would first put the waking into its queue.

A task that waits for one is woken by the event loop, as by any other future.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Prompt(asyncio.Future[None]):
    """A future without a result.

    Attributes:
        resume: what goes on as soon as the future is done, besides its callbacks; None for nothing.
    """

    resume: Callable[[], None] | None = None

    def fulfil(self) -> None:
        """Be done, and return when what waited has run to its next wait; a no-op for one that is done already."""
        if not self.done():
            self.set_result(None)
            if self.resume is not None:
                self.resume()
