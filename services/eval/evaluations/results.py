"""The scored samples of jobs in the database; each is written once, whoever tries again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects import postgresql, sqlite

from llamastack.evaluations.v1.job_pb2 import EvaluationSample
from mesh.storage import POSTGRESQL, Storage
from services.eval.evaluations.sample import Outcome, Statistics
from services.eval.evaluations.tables import SAMPLES

Owner: TypeAlias = tuple[str, str]
"""The tenant and the uuid of a job."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many samples a job has scored, and how many of them could not be."""

    done: int
    failed: int


class Results:
    """Keeps the samples of all jobs."""

    def __init__(self, storage: Storage) -> None:
        """Keep the database."""
        self._storage = storage

    async def add(self, owner: Owner, outcomes: Sequence[Outcome]) -> None:
        """Write samples; one that is there already stays as it is."""
        insert = postgresql.insert if self._storage.kind == POSTGRESQL else sqlite.insert
        rows = [
            {
                "tenant": owner[0],
                "job": owner[1],
                "index": outcome.row.index,
                "failed": outcome.error is not None,
                "statistics": json.dumps({name: list(numbers) for name, numbers in outcome.statistics.items()}),
                "data": message(outcome).SerializeToString(),
            }
            for outcome in outcomes
        ]
        if rows:
            await self._storage.write(
                lambda connection: connection.execute(insert(SAMPLES).on_conflict_do_nothing(), rows)
            )

    async def scored(self, owner: Owner) -> set[int]:
        """Return the positions of the rows that are scored."""
        query = select(SAMPLES.c.index).where(*_of(owner))
        async with self._storage.reading() as session:
            return set((await session.execute(query)).scalars())

    async def counts(self, owner: Owner) -> Counts:
        """Return how many samples there are."""
        query = select(func.count()).select_from(SAMPLES).where(*_of(owner))
        async with self._storage.reading() as session:
            done = (await session.execute(query)).scalar_one()
            failed = (await session.execute(query.where(SAMPLES.c.failed.is_(True)))).scalar_one()
        return Counts(done, failed)

    async def statistics(self, owner: Owner) -> dict[int, Statistics]:
        """Return the statistics of the samples that could be scored, by position."""
        query = select(SAMPLES.c.index, SAMPLES.c.statistics).where(*_of(owner), SAMPLES.c.failed.is_(False))
        async with self._storage.reading() as session:
            rows = (await session.execute(query.order_by(SAMPLES.c.index))).all()
        return {index: json.loads(text) for index, text in rows}

    async def page(
        self, owner: Owner, after: int, size: int, *, errors_only: bool = False
    ) -> Sequence[EvaluationSample]:
        """Return up to ``size`` samples by position, after one."""
        query = select(SAMPLES.c.data).where(*_of(owner), SAMPLES.c.index > after)
        if errors_only:
            query = query.where(SAMPLES.c.failed.is_(True))
        async with self._storage.reading() as session:
            found = (await session.execute(query.order_by(SAMPLES.c.index).limit(size))).scalars()
            return [EvaluationSample.FromString(data) for data in found]

    async def chosen(self, owner: Owner, indices: Sequence[int]) -> dict[int, EvaluationSample]:
        """Return samples by their positions, at most 1000."""
        query = select(SAMPLES.c.index, SAMPLES.c.data).where(*_of(owner), SAMPLES.c.index.in_(indices))
        async with self._storage.reading() as session:
            return {index: EvaluationSample.FromString(data) for index, data in (await session.execute(query)).all()}


def message(outcome: Outcome) -> EvaluationSample:
    """Return an outcome as the contract has it."""
    return EvaluationSample(
        index=outcome.row.index,
        input=outcome.row.data,
        output=outcome.output,
        references=outcome.references,
        scores=outcome.scores,
        error=outcome.error,
    )


def _of(owner: Owner) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SAMPLES.c.tenant == owner[0], SAMPLES.c.job == owner[1]
