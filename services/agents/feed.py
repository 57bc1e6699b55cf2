"""The committed events of the turns that run in this process, for those who follow them.

Nothing is asked of the database for a turn that runs here; events are kept until its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk


class Feed:
    """The events of one turn after ``begins_after``, as they are committed; closed when the turn stops to run here."""

    def __init__(self, begins_after: int) -> None:
        """Begin with no event."""
        self._begins_after = begins_after
        self._chunks: list[Chunk] = []
        self._changed: asyncio.Future[None] | None = None
        self.closed = False

    def publish(self, chunks: Sequence[Chunk]) -> None:
        """Add events that are committed."""
        self._chunks.extend(chunks)
        self._tell()

    def close(self) -> None:
        """End the feed: nothing more comes of it, which does not mean that the turn is over."""
        self.closed = True
        self._tell()

    def covers(self, sequence: int) -> bool:
        """Return whether every event after that one is or will be here."""
        return sequence >= self._begins_after

    def after(self, sequence: int) -> Sequence[Chunk]:
        """Return the events after that one that are there by now."""
        return self._chunks[sequence - self._begins_after :]

    async def change(self) -> None:
        """Wait until something is published or the feed is closed."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None


class Feeds:
    """The feeds of this process, by the turns' uids."""

    def __init__(self) -> None:
        """Begin with none."""
        self._feeds: dict[str, Feed] = {}

    def open(self, uid: str, begins_after: int) -> Feed:
        """Open the feed of a turn that begins to run here."""
        feed = self._feeds[uid] = Feed(begins_after)
        return feed

    def close(self, uid: str) -> None:
        """Close the feed of a turn, if there is one."""
        feed = self._feeds.pop(uid, None)
        if feed is not None:
            feed.close()

    def get(self, uid: str) -> Feed | None:
        """Return the feed of a turn that runs here."""
        return self._feeds.get(uid)
