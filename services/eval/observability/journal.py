"""Log messages in the database, numbered in order of arrival and searched.

Every tenant has a counter whose row is locked while messages are written, so that numbers become visible in their order
and a reader that asks for what comes after a number misses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, false, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.observability.v1 import log_pb2 as pb
from mesh.storage import Storage
from services.eval.observability import keys, members
from services.eval.observability.members import Owner
from services.eval.observability.tables import COUNTERS, LOGS

KIND: Final = "log"
_BATCH: Final = 500
Place: TypeAlias = tuple[str, int]
"""Where a message is in a search: moment and sequence, which is also its order."""


class Journal:
    """Keeps and searches the log messages of all tenants.

    Args:
        storage: the database.
        poll_s: seconds after which a follower looks for messages that another process stored.
    """

    def __init__(self, storage: Storage, poll_s: float = 1.0) -> None:
        self._storage = storage
        self._poll_s = poll_s
        self._grown = asyncio.Condition()

    async def add(self, tenant: str, request: pb.LogMessagesRequest) -> None:
        """Store messages.

        Raises:
            InvalidField: a message has no valid time.
        """
        moments = [keys.moment(log.timestamp, f"logs[{index}].timestamp") for index, log in enumerate(request.logs)]
        if not moments:
            return
        await self._open(tenant)
        async with self._storage.writing() as session:
            first = await _allot(session, tenant, len(moments))
            rows, owners = [], {}
            for number, (log, moment) in enumerate(zip(request.logs, moments, strict=True), first):
                kept = pb.Log()
                kept.CopyFrom(log)
                kept.ClearField("run_id")
                kept.sequence = number
                if request.HasField("run_id"):
                    kept.run_id = request.run_id
                rows.append(_row(tenant, kept, moment))
                owners[Owner(tenant, KIND, str(number))] = dict(kept.additional_info)
            await session.execute(LOGS.insert(), rows)
            await members.add(session, owners)
        async with self._grown:
            self._grown.notify_all()

    async def page(
        self, tenant: str, request: pb.LogSearchRequest, after: Place | None, size: int
    ) -> Sequence[tuple[Place, pb.Log]]:
        """Return up to ``size`` messages that a search finds, by time, oldest first, with their places.

        Raises:
            InvalidField: a bound is no time.
        """
        order = (LOGS.c.moment, LOGS.c.sequence)
        query = select(*order, LOGS.c.data).where(*_conditions(tenant, request))
        if after is not None:
            query = query.where(tuple_(*order) > after)
        async with self._storage.reading() as session:
            rows = (await session.execute(query.order_by(*order).limit(size))).all()
        return [((moment, sequence), pb.Log.FromString(data)) for moment, sequence, data in rows]

    async def follow(self, tenant: str, request: pb.LogSearchRequest) -> AsyncGenerator[pb.Log]:
        """Yield the messages that a search finds in order of arrival, and those that come, until ``before`` has passed.

        Raises:
            InvalidField: a bound is no time.
        """
        wanted = pb.LogSearchRequest()
        wanted.CopyFrom(request)
        while True:
            # read before the search, so that what is stored up to then is found once more
            over = wanted.HasField("before") and wanted.before.ToNanoseconds() <= time.time_ns()
            found = await self._arrived(tenant, wanted)
            for log in found:
                yield log
                wanted.after_sequence = log.sequence
            if len(found) == _BATCH:
                continue
            if over:
                return
            await self._wait(wanted)

    async def _arrived(self, tenant: str, request: pb.LogSearchRequest) -> Sequence[pb.Log]:
        query = select(LOGS.c.data).where(*_conditions(tenant, request)).order_by(LOGS.c.sequence).limit(_BATCH)
        async with self._storage.reading() as session:
            return [pb.Log.FromString(data) for data in (await session.execute(query)).scalars()]

    async def _wait(self, request: pb.LogSearchRequest) -> None:
        """Wait for a message of this process, or for as long as one of another may take."""
        seconds = self._poll_s
        if request.HasField("before"):
            seconds = min(seconds, max(0.0, request.before.ToNanoseconds() / 1e9 - time.time()))
        try:
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait()
        except TimeoutError:
            return

    async def _open(self, tenant: str) -> None:
        """Make the tenant's counter if this is its first message."""
        async with self._storage.reading() as session:
            known = await session.execute(select(COUNTERS.c.last).where(COUNTERS.c.tenant == tenant))
            if known.first() is not None:
                return
        try:
            async with self._storage.writing() as session:
                await session.execute(COUNTERS.insert().values(tenant=tenant, last=0))
        except IntegrityError:
            # another call made it meanwhile
            return


async def _allot(session: AsyncSession, tenant: str, count: int) -> int:
    """Take the next numbers and return the first; the counter stays locked until the transaction ends."""
    taken = update(COUNTERS).where(COUNTERS.c.tenant == tenant).values(last=COUNTERS.c.last + count)
    last = (await session.execute(taken.returning(COUNTERS.c.last))).scalar_one()
    return int(last) - count + 1


def _row(tenant: str, log: pb.Log, moment: str) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "sequence": log.sequence,
        "moment": moment,
        "level": keys.exact(log.level),
        "run": log.run_id if log.HasField("run_id") else None,
        "message": keys.folded(log.message),
        "data": log.SerializeToString(),
    }


def _conditions(tenant: str, request: pb.LogSearchRequest) -> list[ColumnElement[bool]]:
    found = [LOGS.c.tenant == tenant, LOGS.c.sequence > request.after_sequence]
    if request.query:
        found.append(LOGS.c.message.contains(keys.folded(request.query), autoescape=True))
    if request.HasField("after"):
        found.append(LOGS.c.moment >= keys.moment(request.after, "after"))
    if request.HasField("before"):
        found.append(LOGS.c.moment < keys.moment(request.before, "before"))
    others: Mapping[str, JsonValue] = {
        name: value for name, value in request.filters.items() if name not in {"level", "run_id"}
    }
    columns = {"level": LOGS.c.level, "run_id": LOGS.c.run}
    for name in columns.keys() & request.filters.keys():
        value = request.filters[name]
        text = value.WhichOneof("kind") == "string_value"
        found.append(columns[name] == keys.exact(value.string_value) if text else false())
    return [*found, *members.equal(tenant, KIND, LOGS.c.sequence, others)]
