"""What runs measure, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import select, tuple_

from llamastack.observability.v1 import metric_pb2 as pb
from mesh.errors import InvalidField
from mesh.storage import Storage
from services.eval.observability import keys
from services.eval.observability.tables import METRICS
from services.eval.observability.upserts import upsert

Place: TypeAlias = tuple[str, str, str]
"""Where a measurement is in its run: moment, step and name, which is also its order."""


class Measurements:
    """Keeps the measurements of runs; whose runs they are is checked by the caller."""

    def __init__(self, storage: Storage) -> None:
        """Keep the database."""
        self._storage = storage

    async def add(self, run_id: str, metrics: Sequence[pb.Metric]) -> None:
        """Add measurements; one of the same name, time and step is replaced.

        Raises:
            InvalidField: a time or a name can't be kept.
        """
        rows = {}
        for index, metric in enumerate(metrics):
            place = _place(metric, index)
            moment, step, name = place
            rows[place] = {
                "run": run_id,
                "moment": moment,
                "step": step,
                "name": name,
                "data": metric.SerializeToString(),
            }
        async with self._storage.writing() as session:
            await upsert(session, METRICS, list(rows.values()))

    async def page(
        self, run_id: str, name: str | None, after: Place | None, size: int
    ) -> Sequence[tuple[Place, pb.Metric]]:
        """Return up to ``size`` measurements of a run, oldest first, with their places."""
        table = METRICS
        place = (table.c.moment, table.c.step, table.c.name)
        query = select(*place, table.c.data).where(table.c.run == run_id)
        if name is not None:
            query = query.where(table.c.name == keys.exact(name))
        if after is not None:
            query = query.where(tuple_(*place) > after)
        async with self._storage.reading() as session:
            rows = (await session.execute(query.order_by(*place).limit(size))).all()
        return [((moment, step, found), pb.Metric.FromString(data)) for moment, step, found, data in rows]


def _place(metric: pb.Metric, index: int) -> Place:
    if "\0" in metric.name:
        raise InvalidField(f"metrics[{index}].name", "a name without NUL is needed")
    step = keys.step(metric.step if metric.HasField("step") else None)
    return keys.moment(metric.timestamp, f"metrics[{index}].timestamp"), step, metric.name
