"""The logs of jobs in the database: numbered lines, each with a time (RFC 3339) and a level in front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError

from mesh.storage import Storage
from services.eval.evaluations.results import Owner
from services.eval.evaluations.tables import LINES

_MOST: Final = 100_000
_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines, and the number of the last one, counted from 1; 0 for none so far."""

    texts: Sequence[str]
    last: int


class JobLogs:
    """Keeps the logs of all jobs; ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        """Keep the database."""
        self._storage = storage
        self._clock = clock

    async def write(self, owner: Owner, level: str, text: str) -> None:
        """Add a line."""
        time = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{time} {level} {' '.join(text.splitlines())}"
        query = select(func.coalesce(func.max(LINES.c.sequence), 0)).where(*_of(owner))
        while True:
            try:
                async with self._storage.writing() as session:
                    last = int((await session.execute(query)).scalar_one())
                    row = {"tenant": owner[0], "job": owner[1], "sequence": last + 1, "line": line.encode()}
                    await session.execute(LINES.insert().values(row))
            except IntegrityError:
                # another line got that number meanwhile
                continue
            return

    async def read(self, owner: Owner, after: int, most: int = 0) -> Lines:
        """Return the last ``most`` lines (0 for 10,000) after one by its number."""
        query = select(LINES.c.sequence, LINES.c.line).where(*_of(owner), LINES.c.sequence > after)
        query = query.order_by(LINES.c.sequence.desc()).limit(min(most or 10_000, _MOST))
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).all()[::-1]
        return Lines([line.decode() for _, line in rows], rows[-1][0] if rows else after)

    async def follow(self, owner: Owner, after: int, over: Callable[[], Awaitable[bool]]) -> AsyncGenerator[Lines]:
        """Yield lines as they come, until the job is over."""
        while True:
            # asked first, so that what was written up to the end is read once more
            ended = await over()
            found = await self.read(owner, after, _MOST)
            if found.texts:
                yield found
                after = found.last
            if ended:
                return
            await asyncio.sleep(_POLL_S)


def _of(owner: Owner) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return LINES.c.tenant == owner[0], LINES.c.job == owner[1]
