"""What generation jobs have made so far, in the database, so that nothing is made twice; and their logs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.reward_scoring.v1.reward_scoring_pb2 import ScoredDialogGenerations
from mesh.storage import SQLITE, Storage
from services.training.synthetic.answers import Answer, Outcome
from services.training.synthetic.tables import ANSWERS, JOBS, LOGS, OUTCOMES

_PAGE: Final = 256
_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class Which:
    """A job: its tenant and its uuid."""

    tenant: str
    uuid: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a job's log; ``text`` has time and level in front."""

    sequence: int
    text: str


class Journal:
    """Keeps what jobs have made; every method is one transaction. ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        """Keep the database."""
        self._storage = storage
        self._clock = clock

    async def begin(self, job: Which, holder: str) -> None:
        """Note a job and the holder of its dataset; nothing changes if it is known."""
        row = {"tenant": job.tenant, "job": job.uuid, "holder": holder, "cancelled_by": None, "tidy": False}
        async with self._storage.writing() as session:
            await self._add(session, JOBS, [row])

    async def cancelled(self, job: Which, subject: str) -> None:
        """Note who cancelled a job; the first one counts."""
        async with self._storage.writing() as session:
            await session.execute(
                update(JOBS).where(*_is(JOBS, job), JOBS.c.cancelled_by.is_(None)).values(cancelled_by=subject)
            )

    async def cancelled_by(self, jobs: Sequence[Which]) -> dict[Which, str]:
        """Return who cancelled jobs of one tenant, for those that somebody did."""
        if not jobs:
            return {}
        query = select(JOBS.c.tenant, JOBS.c.job, JOBS.c.cancelled_by).where(
            JOBS.c.tenant == jobs[0].tenant,
            JOBS.c.job.in_([job.uuid for job in jobs]),
            JOBS.c.cancelled_by.is_not(None),
        )
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).all()
        return {Which(tenant, uuid): subject for tenant, uuid, subject in rows}

    async def untidy(self) -> list[tuple[Which, str]]:
        """Return the jobs, with their holders, that may have left something behind."""
        async with self._storage.reading() as session:
            rows = (await session.execute(select(JOBS.c.tenant, JOBS.c.job, JOBS.c.holder).where(~JOBS.c.tidy))).all()
        return [(Which(tenant, uuid), holder) for tenant, uuid, holder in rows]

    async def tidy(self, job: Which) -> None:
        """Forget what a job has made; its log stays."""
        async with self._storage.writing() as session:
            await session.execute(delete(ANSWERS).where(*_is(ANSWERS, job)))
            await session.execute(delete(OUTCOMES).where(*_is(OUTCOMES, job)))
            await session.execute(update(JOBS).where(*_is(JOBS, job)).values(tidy=True))

    async def add_answers(self, job: Which, answers: Sequence[Answer]) -> None:
        """Keep samples; those that are there already stay as they are."""
        rows = [
            {
                "tenant": job.tenant,
                "job": job.uuid,
                "prompt": answer.prompt,
                "sample": answer.sample,
                "message": None if answer.message is None else answer.message.SerializeToString(),
                "tokens": answer.tokens,
            }
            for answer in answers
        ]
        async with self._storage.writing() as session:
            await self._add(session, ANSWERS, rows)

    async def answers(self, job: Which, first: int, last: int) -> list[Answer]:
        """Return the samples of the prompts from one position to another one, both included."""
        query = select(ANSWERS).where(*_is(ANSWERS, job), ANSWERS.c.prompt.between(first, last))
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).mappings().all()
        return [
            Answer(
                row["prompt"],
                row["sample"],
                None if row["message"] is None else CompletionMessage.FromString(row["message"]),
                row["tokens"],
            )
            for row in rows
        ]

    async def add_outcomes(self, job: Which, first: int, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of prompts from a position on, in the place of their samples."""
        rows = [
            {
                "tenant": job.tenant,
                "job": job.uuid,
                "prompt": first + index,
                "scored": outcome.scored.SerializeToString(),
                "facts": _facts(outcome),
            }
            for index, outcome in enumerate(outcomes)
        ]
        last = first + len(outcomes) - 1
        async with self._storage.writing() as session:
            await self._add(session, OUTCOMES, rows)
            await session.execute(delete(ANSWERS).where(*_is(ANSWERS, job), ANSWERS.c.prompt.between(first, last)))

    async def outcomes(self, job: Which) -> AsyncGenerator[list[Outcome]]:
        """Yield what became of the prompts so far, in their order, several at a time."""
        after = -1
        while True:
            query = select(OUTCOMES).where(*_is(OUTCOMES, job), OUTCOMES.c.prompt > after)
            async with self._storage.reading() as session:
                rows = (await session.execute(query.order_by(OUTCOMES.c.prompt).limit(_PAGE))).mappings().all()
            if not rows:
                return
            yield [_outcome(row) for row in rows]
            after = rows[-1]["prompt"]

    async def log(self, job: Which, level: str, message: str) -> None:
        """Add a line to a job's log."""
        now = self._clock()
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        line = f"{at} {level} {message}".replace("\n", " ")
        for _ in range(_TRIES):
            try:
                async with self._storage.writing() as session:
                    last = await session.scalar(select(func.max(LOGS.c.sequence)).where(*_is(LOGS, job)))
                    row = {"tenant": job.tenant, "job": job.uuid, "sequence": (last or 0) + 1, "at": now, "line": line}
                    await session.execute(LOGS.insert().values(row))
            except IntegrityError:
                # another replica wrote a line at the same moment
                continue
            return

    async def lines(self, job: Which, after: int, most: int, *, newest: bool = False) -> list[Line]:
        """Return up to ``most`` lines after one: the first ones, or the last ones if the newest are wanted."""
        query = select(LOGS.c.sequence, LOGS.c.line).where(*_is(LOGS, job), LOGS.c.sequence > after)
        query = query.order_by(LOGS.c.sequence.desc() if newest else LOGS.c.sequence).limit(most)
        async with self._storage.reading() as session:
            found = [Line(sequence, text) for sequence, text in (await session.execute(query)).all()]
        return found[::-1] if newest else found

    async def _add(self, session: AsyncSession, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows; those whose keys are there already are left out."""
        if not rows:
            return
        insert: Any = sqlite_insert if self._storage.kind == SQLITE else postgresql_insert
        await session.execute(insert(table).on_conflict_do_nothing(), list(rows))


def _is(table: Table, job: Which) -> tuple[Any, Any]:
    return table.c.tenant == job.tenant, table.c.job == job.uuid


def _facts(outcome: Outcome) -> bytes:
    values = {"copies": outcome.copies, "kept": outcome.kept, "errors": outcome.errors, "tokens": outcome.tokens}
    return json.dumps(values).encode()


def _outcome(row: Any) -> Outcome:
    facts = json.loads(row["facts"])
    return Outcome(
        ScoredDialogGenerations.FromString(row["scored"]),
        tuple(facts["copies"]),
        tuple(facts["kept"]),
        facts["errors"],
        facts["tokens"],
    )
