"""The banks of all tenants in the database, and their places in the vector store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, func, select
from sqlalchemy.exc import IntegrityError

from llamastack.memory.v1.bank_pb2 import MemoryBankConfig
from mesh.errors import ResourceExists, ResourceNotFound
from mesh.ids import new_id
from mesh.storage import Storage
from services.memory.bank import Bank, shape_of
from services.memory.documents import unexpired
from services.memory.remembered import Remembered
from services.memory.store import Store
from services.memory.tables import BANKS, DOCUMENTS, LEFTOVERS

KIND = "memory bank"


@dataclass(frozen=True, slots=True)
class Counted:
    """A bank with the number of its documents and chunks."""

    bank: Bank
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class NewBank:
    """A bank to be made; ``bank_id`` None for a fresh one."""

    tenant: str
    bank_id: str | None
    name: str
    config: MemoryBankConfig
    dimension: int | None


class Banks:
    """Makes, finds and drops banks.

    Args:
        storage: the database.
        store: the vector store.
        clock: gives Unix seconds.
        remembered: how many banks are remembered; more than 0 only where no other process writes the database.
    """

    def __init__(self, storage: Storage, store: Store, clock: Callable[[], float], remembered: int = 0) -> None:
        self._storage = storage
        self._store = store
        self._clock = clock
        self._known = Remembered[tuple[str, str], Bank](remembered)

    async def create(self, new: NewBank) -> Bank:
        """Make a bank.

        Raises:
            ResourceExists: the tenant has one of that id.
        """
        uid, now = new_id(self._clock), self._clock()
        bank = Bank(uid, new.tenant, new.bank_id or uid, new.name, new.config, new.dimension, now)
        async with self._storage.writing() as session:
            taken = await session.execute(select(BANKS.c.uid).where(*_is(new.tenant, bank.bank_id)))
            if taken.first() is not None:
                raise ResourceExists(KIND, bank.bank_id)
            await session.execute(LEFTOVERS.insert().values(bank=uid, revision="", since=now))
        shape = shape_of(new.config, new.dimension)
        if shape is not None:
            await self._store.create(uid, shape)
        try:
            async with self._storage.writing() as session:
                await session.execute(BANKS.insert().values(_row(bank)))
                await session.execute(delete(LEFTOVERS).where(LEFTOVERS.c.bank == uid))
        except IntegrityError as error:
            await self._clear(uid)
            raise ResourceExists(KIND, bank.bank_id) from error
        return bank

    async def get(self, tenant: str, bank_id: str) -> Bank:
        """Return a bank.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        if (known := self._known.get((tenant, bank_id))) is not None:
            return known
        since = self._known.begin()
        async with self._storage.reading() as session:
            row = (await session.execute(select(BANKS).where(*_is(tenant, bank_id)))).mappings().first()
        if row is None:
            raise ResourceNotFound(KIND, bank_id)
        bank = _bank(row)
        self._known.keep({(tenant, bank_id): bank}, since)
        return bank

    async def counted(
        self, tenant: str, *, bank_id: str | None = None, after: str = "", size: int = 1
    ) -> Sequence[Counted]:
        """Return one bank, or a page of a tenant's banks by id, with their counts."""
        chosen = BANKS.c.bank_id > after if bank_id is None else BANKS.c.bank_id == bank_id
        page = select(BANKS).where(BANKS.c.tenant == tenant, chosen).order_by(BANKS.c.bank_id).limit(size).cte()
        counts = (
            select(
                DOCUMENTS.c.bank,
                func.count().label("documents"),
                func.coalesce(func.sum(DOCUMENTS.c.chunk_count), 0).label("chunks"),
            )
            .where(DOCUMENTS.c.bank.in_(select(page.c.uid)), unexpired(self._clock()))
            .group_by(DOCUMENTS.c.bank)
            .subquery()
        )
        query = (
            select(page, counts.c.documents, counts.c.chunks)
            .outerjoin(counts, counts.c.bank == page.c.uid)
            .order_by(page.c.bank_id)
        )
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).mappings().all()
        return [Counted(_bank(row), row["documents"] or 0, int(row["chunks"] or 0)) for row in rows]

    async def drop(self, tenant: str, bank_id: str) -> None:
        """Delete a bank with its documents.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        # to its end even if nobody waits for it any more, so that the bank is forgotten here
        await self._clear(await asyncio.shield(asyncio.ensure_future(self._dropped(tenant, bank_id))))

    async def _dropped(self, tenant: str, bank_id: str) -> str:
        async with self._known.changing() as change:
            async with self._storage.writing() as session:
                uid = (await session.execute(select(BANKS.c.uid).where(*_is(tenant, bank_id)))).scalar_one_or_none()
                if uid is None:
                    raise ResourceNotFound(KIND, bank_id)
                await session.execute(delete(LEFTOVERS).where(LEFTOVERS.c.bank == uid))
                await session.execute(LEFTOVERS.insert().values(bank=uid, revision="", since=self._clock()))
                await session.execute(delete(BANKS).where(BANKS.c.uid == uid))
            change.gone.append((tenant, bank_id))
        return str(uid)

    async def _clear(self, uid: str) -> None:
        await self._store.drop(uid)
        async with self._storage.writing() as session:
            await session.execute(delete(LEFTOVERS).where(LEFTOVERS.c.bank == uid))


def _is(tenant: str, bank_id: str) -> tuple[Any, Any]:
    return BANKS.c.tenant == tenant, BANKS.c.bank_id == bank_id


def _row(bank: Bank) -> dict[str, Any]:
    return {
        "uid": bank.uid,
        "tenant": bank.tenant,
        "bank_id": bank.bank_id,
        "name": bank.name,
        "config": bank.config.SerializeToString(),
        "dimension": bank.dimension,
        "created_at": bank.created_at,
    }


def _bank(row: RowMapping) -> Bank:
    return Bank(
        uid=row["uid"],
        tenant=row["tenant"],
        bank_id=row["bank_id"],
        name=row["name"],
        config=MemoryBankConfig.FromString(row["config"]),
        dimension=row["dimension"],
        created_at=row["created_at"],
    )
