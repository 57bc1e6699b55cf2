"""Has streams speak in turns, so that a process gives no more pieces a second than it can deliver.

Each piece of a stream costs a message on its way to the client, however little text is in it. Few streams pass on what
every step of the engine brings; where many run, a stream waits its turn and what comes meanwhile goes as one piece. The
first piece and the last are never held back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TICK_SECONDS = 0.004


@dataclass(slots=True)
class _Waiting:
    due: float
    ended: Callable[[], bool]
    released: asyncio.Future[None]


class Pace:
    """Bounds the pieces that the streams of one event loop give together."""

    def __init__(self, pieces_per_second: int) -> None:
        """``pieces_per_second`` of all streams together; 0 for no bound."""
        self._each_s = 1.0 / pieces_per_second if pieces_per_second else 0.0
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self.speaking = 0

    @property
    def pause_s(self) -> float:
        """Seconds between two pieces of a stream; 0 while so few speak that none has to wait."""
        pause = self.speaking * self._each_s
        return pause if pause > TICK_SECONDS else 0.0

    def voice(self, sequences: int, ended: Callable[[], bool]) -> Voice:
        """Return the part of one stream of so many sequences; ``ended`` tells whether its last piece is there."""
        return Voice(self, sequences, ended)

    async def wait(self, ended: Callable[[], bool]) -> None:
        """Return after the pause, or as soon as the stream has ended."""
        pause = self.pause_s
        if not pause or ended():
            return
        loop = asyncio.get_running_loop()
        released: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Waiting(loop.time() + pause, ended, released))
        if self._timer is None:
            self._timer = loop.call_later(TICK_SECONDS, self._release, loop)
        await released

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake those whose turn it is and look again in a while, as long as somebody waits."""
        now = loop.time()
        still = []
        for waiting in self._waiting:
            if waiting.released.done():
                continue
            if waiting.due <= now or waiting.ended():
                waiting.released.set_result(None)
            else:
                still.append(waiting)
        self._waiting = still
        self._timer = loop.call_later(TICK_SECONDS, self._release, loop) if still else None


class Voice:
    """One stream among those of a pace, from its first piece to the end of the block."""

    def __init__(self, pace: Pace, sequences: int, ended: Callable[[], bool]) -> None:
        """Be silent, and not counted; see :meth:`Pace.voice`."""
        self._pace = pace
        self._sequences = sequences
        self._ended = ended
        self._counted = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the others their turns."""
        if self._counted:
            self._pace.speaking -= self._sequences

    async def rest(self) -> None:
        """Return when the stream may speak again; to be called after each piece but the last."""
        if not self._counted:
            self._counted = True
            self._pace.speaking += self._sequences
        await self._pace.wait(self._ended)
