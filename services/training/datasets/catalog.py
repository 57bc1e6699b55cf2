"""Datasets, revisions and holds in the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mesh.errors import ResourceBusy, ResourceExists, ResourceNotFound
from mesh.ids import new_id
from mesh.storage import Storage
from services.training.datasets.census import ColumnCensus
from services.training.datasets.shards import StoredShard
from services.training.datasets.tables import DATASETS, HOLDS, LEFTOVERS, REVISIONS
from services.training.revisions import ColumnType

DATASET: Final = "dataset"


@dataclass(frozen=True, slots=True)
class Facts:
    """A revision before it has a number. ``uid`` names its files; ``metadata`` is a serialized TrainEvalDataset."""

    uid: str
    content_hash: str
    num_rows: int
    size_bytes: int
    columns: Mapping[str, ColumnType]
    census: Mapping[str, ColumnCensus]
    shards: tuple[StoredShard, ...]
    origin: int
    source: str | None
    metadata: bytes
    created_at: float


@dataclass(frozen=True, slots=True)
class Revision:
    """A stored revision; the number is its name, counted from 1. ``dataset_uuid`` is empty without a dataset."""

    dataset_uuid: str
    number: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Hold:
    """What a holder holds: a revision, the columns that it asked for and the dataset that it named, if it did."""

    revision: Revision
    columns: Mapping[str, ColumnType]
    dataset_uuid: str | None
    revision_name: str | None


class Catalog:
    """Keeps what is known of datasets; every method is one transaction. ``clock`` gives Unix seconds."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        """Keep the database."""
        self._storage = storage
        self._clock = clock

    async def expect(self, uid: str) -> None:
        """Note that files of a revision are about to be written."""
        async with self._storage.writing() as session:
            await session.execute(LEFTOVERS.insert().values(uid=uid, since=self._clock()))

    async def created(self, tenant: str, dataset_uuid: str, digest: str) -> Revision | None:
        """Return the first revision of a dataset that the same request made, None if there is no such dataset.

        Raises:
            ResourceExists: another request made it.
        """
        async with self._storage.reading() as session:
            row = await _dataset(session, tenant, dataset_uuid)
            if row is None:
                return None
            if row["request_sha256"] != digest:
                raise ResourceExists(DATASET, dataset_uuid)
            return await _revision(session, dataset_uuid, row["uid"], first=True)

    async def create(self, tenant: str, dataset_uuid: str, digest: str, facts: Facts) -> Revision:
        """Store a dataset with its first revision.

        Raises:
            ResourceExists: the tenant has one of that id.
        """
        uid = new_id(self._clock)
        row = {
            "uid": uid,
            "tenant": tenant,
            "dataset_uuid": dataset_uuid,
            "request_sha256": digest,
            "created_at": self._clock(),
        }
        try:
            async with self._storage.writing() as session:
                await session.execute(DATASETS.insert().values(row))
                await _add(session, facts, uid, 1)
        except IntegrityError as error:
            raise ResourceExists(DATASET, dataset_uuid) from error
        return Revision(dataset_uuid, 1, facts)

    async def revise(self, tenant: str, dataset_uuid: str, parent: str | None, facts: Facts) -> Revision:
        """Store a further revision, or return the latest one if its rows are the same.

        Raises:
            ResourceNotFound: the tenant has no such dataset.
            ResourceBusy: the latest revision is not the parent.
        """
        async with self._storage.writing() as session:
            row = await _dataset(session, tenant, dataset_uuid, lock=True)
            if row is None:
                raise ResourceNotFound(DATASET, dataset_uuid)
            latest = await _revision(session, dataset_uuid, row["uid"])
            assert latest is not None
            if parent is not None and parent != str(latest.number):
                raise ResourceBusy(f"revision {latest.number} of dataset {dataset_uuid!r} came first")
            if latest.facts.content_hash == facts.content_hash and latest.facts.columns == facts.columns:
                return latest
            await _add(session, facts, row["uid"], latest.number + 1)
            return Revision(dataset_uuid, latest.number + 1, facts)

    async def has(self, tenant: str, dataset_uuid: str) -> bool:
        """Return whether the tenant has a dataset of that id."""
        async with self._storage.reading() as session:
            return await _dataset(session, tenant, dataset_uuid) is not None

    async def get(self, tenant: str, dataset_uuid: str, name: str | None = None) -> Revision:
        """Return a revision, the latest one without a name.

        Raises:
            ResourceNotFound: the tenant has no such dataset, or it no such revision.
        """
        async with self._storage.reading() as session:
            return await _named(session, tenant, dataset_uuid, name)

    async def datasets(self, tenant: str, after: str, size: int) -> list[Revision]:
        """Return the latest revision of up to ``size`` datasets, by id, after one."""
        latest = (
            select(REVISIONS.c.dataset, func.max(REVISIONS.c.number).label("number"))
            .group_by(REVISIONS.c.dataset)
            .subquery()
        )
        query = (
            select(REVISIONS, DATASETS.c.dataset_uuid)
            .join(DATASETS, DATASETS.c.uid == REVISIONS.c.dataset)
            .join(latest, (latest.c.dataset == REVISIONS.c.dataset) & (latest.c.number == REVISIONS.c.number))
            .where(DATASETS.c.tenant == tenant, DATASETS.c.dataset_uuid > after)
            .order_by(DATASETS.c.dataset_uuid)
            .limit(size)
        )
        async with self._storage.reading() as session:
            return [_revision_of(row["dataset_uuid"], row) for row in (await session.execute(query)).mappings()]

    async def revisions(self, tenant: str, dataset_uuid: str, before: int | None, size: int) -> list[Revision]:
        """Return up to ``size`` revisions of a dataset, newest first, older than one.

        Raises:
            ResourceNotFound: the tenant has no such dataset.
        """
        async with self._storage.reading() as session:
            row = await _dataset(session, tenant, dataset_uuid)
            if row is None:
                raise ResourceNotFound(DATASET, dataset_uuid)
            query = select(REVISIONS).where(REVISIONS.c.dataset == row["uid"])
            if before is not None:
                query = query.where(REVISIONS.c.number < before)
            query = query.order_by(REVISIONS.c.number.desc()).limit(size)
            return [_revision_of(dataset_uuid, found) for found in (await session.execute(query)).mappings()]

    async def drop(self, tenant: str, dataset_uuid: str) -> list[str]:
        """Delete a dataset and return the uids of files to remove; revisions that are held stay for their holders.

        Raises:
            ResourceNotFound: the tenant has no such dataset.
        """
        async with self._storage.writing() as session:
            row = await _dataset(session, tenant, dataset_uuid, lock=True)
            if row is None:
                raise ResourceNotFound(DATASET, dataset_uuid)
            ours = REVISIONS.c.dataset == row["uid"]
            await session.execute(update(REVISIONS).where(ours, _held()).values(dataset=None))
            gone = list((await session.scalars(select(REVISIONS.c.uid).where(ours))).all())
            await self._leave(session, gone)
            await session.execute(delete(DATASETS).where(DATASETS.c.uid == row["uid"]))
            return gone

    async def held(self, tenant: str, holder: str) -> Hold | None:
        """Return what a holder holds."""
        query = select(HOLDS).where(HOLDS.c.tenant == tenant, HOLDS.c.holder == holder)
        async with self._storage.reading() as session:
            row = (await session.execute(query)).mappings().one_or_none()
            if row is None:
                return None
            found = await session.execute(select(REVISIONS).where(REVISIONS.c.uid == row["revision"]))
            revision = _revision_of(row["dataset_uuid"] or "", found.mappings().one())
        return Hold(revision, _columns(row["columns"]), row["dataset_uuid"], row["revision_name"])

    async def hold(self, tenant: str, holder: str, revision: Revision, columns: Mapping[str, ColumnType]) -> None:
        """Have a holder hold a stored revision; one that holds something already keeps that.

        Raises:
            ResourceNotFound: the revision was deleted meanwhile.
        """
        uid = revision.facts.uid
        try:
            async with self._storage.writing() as session:
                # a lock, so that the revision does not go before the hold is there
                query = select(REVISIONS.c.uid).where(REVISIONS.c.uid == uid).with_for_update()
                if (await session.scalars(query)).one_or_none() is None:
                    raise ResourceNotFound(DATASET, revision.dataset_uuid)
                await session.execute(HOLDS.insert().values(_hold_row(tenant, holder, revision, columns)))
        except IntegrityError:
            return

    async def keep(self, tenant: str, holder: str, facts: Facts) -> None:
        """Store a revision without a dataset for a holder; one that holds something already keeps that."""
        try:
            async with self._storage.writing() as session:
                await _add(session, facts, None, 0)
                row = _hold_row(tenant, holder, Revision("", 0, facts), facts.columns)
                await session.execute(HOLDS.insert().values(row))
        except IntegrityError:
            return

    async def release(self, tenant: str, holder: str) -> list[str]:
        """Let go of what a holder holds and return the uids of files to remove."""
        mine = (HOLDS.c.tenant == tenant) & (HOLDS.c.holder == holder)
        async with self._storage.writing() as session:
            uid = (await session.scalars(select(HOLDS.c.revision).where(mine).with_for_update())).one_or_none()
            await session.execute(delete(HOLDS).where(mine))
            query = select(REVISIONS.c.uid).where(REVISIONS.c.uid == uid, REVISIONS.c.dataset.is_(None), ~_held())
            gone = list((await session.scalars(query)).all())
            await self._leave(session, gone)
            return gone

    async def holders(self, prefix: str) -> list[tuple[str, str]]:
        """Return tenant and name of all holders whose name begins with a prefix."""
        query = select(HOLDS.c.tenant, HOLDS.c.holder).where(HOLDS.c.holder.startswith(prefix, autoescape=True))
        async with self._storage.reading() as session:
            return [(tenant, holder) for tenant, holder in (await session.execute(query)).all()]

    async def leftovers(self, before: float) -> list[str]:
        """Return the uids of files that may be left over since before a time."""
        async with self._storage.reading() as session:
            return list((await session.scalars(select(LEFTOVERS.c.uid).where(LEFTOVERS.c.since < before))).all())

    async def forget(self, uid: str) -> None:
        """Note that files which were left over are gone."""
        async with self._storage.writing() as session:
            await session.execute(delete(LEFTOVERS).where(LEFTOVERS.c.uid == uid))

    async def _leave(self, session: AsyncSession, gone: list[str]) -> None:
        """Delete revisions and note that their files are left over."""
        await session.execute(delete(REVISIONS).where(REVISIONS.c.uid.in_(gone)))
        for uid in gone:
            await session.execute(LEFTOVERS.insert().values(uid=uid, since=self._clock()))


def _held() -> Any:
    return exists().where(HOLDS.c.revision == REVISIONS.c.uid)


async def _dataset(session: AsyncSession, tenant: str, dataset_uuid: str, *, lock: bool = False) -> Any:
    query = select(DATASETS).where(DATASETS.c.tenant == tenant, DATASETS.c.dataset_uuid == dataset_uuid)
    return (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()


async def _revision(session: AsyncSession, dataset_uuid: str, uid: str, *, first: bool = False) -> Revision | None:
    order = REVISIONS.c.number if first else REVISIONS.c.number.desc()
    query = select(REVISIONS).where(REVISIONS.c.dataset == uid).order_by(order).limit(1)
    row = (await session.execute(query)).mappings().one_or_none()
    return None if row is None else _revision_of(dataset_uuid, row)


async def _named(session: AsyncSession, tenant: str, dataset_uuid: str, name: str | None) -> Revision:
    row = await _dataset(session, tenant, dataset_uuid)
    if row is None:
        raise ResourceNotFound(DATASET, dataset_uuid)
    if name is None:
        latest = await _revision(session, dataset_uuid, row["uid"])
        assert latest is not None
        return latest
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 10 and name[0] != "0" else 0
    query = select(REVISIONS).where(REVISIONS.c.dataset == row["uid"], REVISIONS.c.number == number)
    found = (await session.execute(query)).mappings().one_or_none()
    if found is None:
        raise ResourceNotFound("dataset revision", f"{dataset_uuid}@{name}")
    return _revision_of(dataset_uuid, found)


async def _add(session: AsyncSession, facts: Facts, dataset: str | None, number: int) -> None:
    await session.execute(REVISIONS.insert().values(_row(facts, dataset, number)))
    await session.execute(delete(LEFTOVERS).where(LEFTOVERS.c.uid == facts.uid))


def _row(facts: Facts, dataset: str | None, number: int) -> dict[str, Any]:
    return {
        "uid": facts.uid,
        "dataset": dataset,
        "number": number,
        "content_hash": facts.content_hash,
        "num_rows": facts.num_rows,
        "size_bytes": facts.size_bytes,
        "columns": json.dumps(facts.columns).encode(),
        "census": json.dumps({name: asdict(census) for name, census in facts.census.items()}).encode(),
        "shards": json.dumps([asdict(shard) for shard in facts.shards]).encode(),
        "origin": facts.origin,
        "source": facts.source,
        "metadata": facts.metadata,
        "created_at": facts.created_at,
    }


def _revision_of(dataset_uuid: str, row: Any) -> Revision:
    facts = Facts(
        uid=row["uid"],
        content_hash=row["content_hash"],
        num_rows=row["num_rows"],
        size_bytes=row["size_bytes"],
        columns=_columns(row["columns"]),
        census={name: ColumnCensus(**census) for name, census in json.loads(row["census"]).items()},
        shards=tuple(StoredShard(**shard) for shard in json.loads(row["shards"])),
        origin=row["origin"],
        source=row["source"],
        metadata=row["metadata"],
        created_at=row["created_at"],
    )
    return Revision(dataset_uuid, row["number"], facts)


def _hold_row(tenant: str, holder: str, revision: Revision, columns: Mapping[str, ColumnType]) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "holder": holder,
        "revision": revision.facts.uid,
        "dataset_uuid": revision.dataset_uuid or None,
        "revision_name": str(revision.number) if revision.dataset_uuid else None,
        "columns": json.dumps(columns).encode(),
    }


def _columns(text: bytes) -> dict[str, ColumnType]:
    return {name: ColumnType(kind) for name, kind in json.loads(text).items()}
