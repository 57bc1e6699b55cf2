"""The events of a turn, each once and in order, for whoever follows it, wherever it runs.

A turn that runs in this process is followed in memory; any other is looked for in the database now and then, more and
more rarely while nothing happens, for a person may take hours to allow a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from mesh.errors import Cancelled, OutOfRange, ResourceNotFound
from services.agents.feed import Feeds
from services.agents.turn import AWAITING, CANCELLED, FAILED, KIND, UNDER_WAY, StoredTurn, failure_of
from services.agents.turns import Turns

_RARELY: Final = 10
"""How many times the usual pause there is at most between two looks at a turn of which nothing comes."""


class Following:
    """Follows turns; ``poll_s`` is how often the database is asked about one that runs elsewhere and goes on."""

    def __init__(self, turns: Turns, feeds: Feeds, poll_s: float) -> None:
        """Keep the parts."""
        self._turns = turns
        self._feeds = feeds
        self._poll_s = poll_s

    async def events(self, turn: StoredTurn, after: int) -> AsyncGenerator[Chunk]:
        """Yield the events after a sequence number up to the end of the turn.

        Raises:
            OutOfRange: the number is still to come.
            Cancelled: the turn was cancelled.
            MeshError: the turn failed with that error.
            ResourceNotFound: the turn was deleted meanwhile.
        """
        if after > turn.last_sequence and not self._is_live(turn, after):
            now = await self._turns.current(turn.uid)
            if now is None or after > now.last_sequence:
                raise OutOfRange(f"after_sequence: the turn has no event {after} yet")
        pause = self._poll_s
        while True:
            feed = self._feeds.get(turn.uid)
            if feed is not None and feed.covers(after):
                chunks = feed.after(after)
                for chunk in chunks:
                    yield chunk
                    after = chunk.sequence
                    if chunk.event.payload.HasField("turn_complete"):
                        return
                if not chunks and not feed.closed:
                    await feed.change()
                continue
            now, stored = await self._turns.events(turn.uid, after)
            if now is None:
                raise ResourceNotFound(KIND, turn.turn_id)
            for chunk in stored:
                yield await self._whole(now, chunk)
                after = chunk.sequence
            if after >= now.last_sequence and now.status not in UNDER_WAY:
                _conclude(now)
                return
            if stored:
                pause = self._poll_s
            elif self._feeds.get(turn.uid) is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RARELY * self._poll_s)

    async def last(self, turn: StoredTurn, after: int = 0) -> Chunk:
        """Wait until a turn ends or waits for a person, and return its last event.

        Raises:
            MeshError: as for :meth:`events`.
        """
        async for chunk in self.events(turn, after):
            if chunk.event.payload.HasField("turn_complete"):
                return chunk
            if chunk.event.payload.HasField("approval_required"):
                now = await self._turns.current(turn.uid)
                if now is not None and now.status == AWAITING and now.last_sequence == chunk.sequence:
                    return chunk
        raise ResourceNotFound(KIND, turn.turn_id)

    def _is_live(self, turn: StoredTurn, after: int) -> bool:
        feed = self._feeds.get(turn.uid)
        return feed is not None and feed.covers(after) and bool(feed.after(after - 1))

    async def _whole(self, turn: StoredTurn, chunk: Chunk) -> Chunk:
        """Return an event with what is not stored in it."""
        if chunk.event.payload.HasField("turn_complete"):
            detail = await self._turns.detail(turn)
            chunk.event.payload.turn_complete.turn.CopyFrom(detail.message())
        return chunk


def _conclude(turn: StoredTurn) -> None:
    """Return for a turn that went well, raise what others ended with."""
    if turn.status == FAILED and turn.error is not None:
        raise failure_of(turn.error)
    if turn.status == CANCELLED:
        raise Cancelled("the turn was cancelled")
