"""The sessions of all tenants in the database, and the banks attached to them. ``clock`` gives Unix seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import LABEL_STYLE_NONE, Connection, and_, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from mesh.errors import ResourceNotFound
from mesh.ids import new_id
from mesh.storage import Storage
from services.agents import systems
from services.agents.commits import Commits
from services.agents.systems import System, system_of
from services.agents.tables import SESSIONS, SYSTEMS

KIND: Final = "session"

# a statement that is made once costs half of what a new one does
_OPENED: Final = (
    select(SYSTEMS, SESSIONS)
    .outerjoin(
        SESSIONS, and_(SESSIONS.c.system_id == SYSTEMS.c.system_id, SESSIONS.c.session_id == bindparam("its_session"))
    )
    .where(SYSTEMS.c.tenant == bindparam("its_tenant"), SYSTEMS.c.system_id == bindparam("its_system"))
    .set_label_style(LABEL_STYLE_NONE)
)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session; ``files_bank`` is the bank of its own files, if it has one."""

    session_id: str
    tenant: str
    system_id: str
    name: str
    bank_ids: tuple[str, ...]
    files_bank: str | None
    created_at: float


class Sessions:
    """Keeps sessions."""

    def __init__(self, storage: Storage, commits: Commits, clock: Callable[[], float]) -> None:
        """Keep the parts."""
        self._storage = storage
        self._commits = commits
        self._clock = clock

    async def create(self, tenant: str, system_id: str, name: str) -> str:
        """Store a session and return its id.

        Raises:
            ResourceNotFound: the system is gone.
        """
        session_id = new_id(self._clock)
        values = {
            "session_id": session_id,
            "tenant": tenant,
            "system_id": system_id,
            "name": name,
            "bank_ids": "[]",
            "created_at": self._clock(),
        }

        def write(connection: Connection) -> None:
            connection.execute(insert(SESSIONS).values(values))

        try:
            await self._commits.submit(write)
        except IntegrityError as error:
            raise ResourceNotFound(systems.KIND, system_id) from error
        return session_id

    async def get(self, tenant: str, system_id: str, session_id: str) -> StoredSession:
        """Return a session.

        Raises:
            ResourceNotFound: the system has none of that id.
        """
        return (await self.opened(tenant, system_id, session_id))[1]

    async def opened(self, tenant: str, system_id: str, session_id: str) -> tuple[System, StoredSession]:
        """Return a session with its system.

        Raises:
            ResourceNotFound: the tenant has no such system, or the system no such session.
        """
        ids = {"its_tenant": tenant, "its_system": system_id, "its_session": session_id}
        row = await self._storage.read(lambda connection: connection.execute(_OPENED, ids).one_or_none())
        if row is None:
            raise ResourceNotFound(systems.KIND, system_id)
        width = len(SYSTEMS.c)
        system = system_of(dict(zip(SYSTEMS.c.keys(), row[:width], strict=True)))
        session_row = dict(zip(SESSIONS.c.keys(), row[width:], strict=True))
        if session_row["session_id"] is None:
            raise ResourceNotFound(KIND, session_id)
        return system, _session_of(session_row)

    async def page(self, system_id: str, after: tuple[float, str] | None, size: int) -> list[StoredSession]:
        """Return up to ``size`` sessions, newest first, after one by its ``created_at`` and id."""
        query = select(SESSIONS).where(SESSIONS.c.system_id == system_id)
        if after is not None:
            query = query.where(tuple_(SESSIONS.c.created_at, SESSIONS.c.session_id) < after)
        query = query.order_by(SESSIONS.c.created_at.desc(), SESSIONS.c.session_id.desc()).limit(size)
        rows = await self._storage.read(lambda connection: connection.execute(query).mappings().all())
        return [_session_of(row) for row in rows]

    async def of_system(self, system_id: str) -> list[StoredSession]:
        """Return all sessions of a system."""
        query = select(SESSIONS).where(SESSIONS.c.system_id == system_id)
        rows = await self._storage.read(lambda connection: connection.execute(query).mappings().all())
        return [_session_of(row) for row in rows]

    async def delete(self, session_id: str) -> None:
        """Delete a session with all that belongs to it."""

        def write(connection: Connection) -> None:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.session_id == session_id))

        await self._commits.submit(write)

    async def attach(self, session_id: str, bank_ids: Sequence[str], files_bank: str | None = None) -> list[str]:
        """Attach banks behind those that are attached, each once, and return all; ``files_bank`` is one of them."""
        values = {} if files_bank is None else {"files_bank": files_bank}
        return await self._change(session_id, lambda before: list(dict.fromkeys([*before, *bank_ids])), values)

    async def detach(self, session_id: str, bank_ids: Sequence[str]) -> list[str]:
        """Detach banks and return those that are left."""
        gone = set(bank_ids)
        return await self._change(session_id, lambda before: [one for one in before if one not in gone], {})

    async def _change(
        self, session_id: str, change: Callable[[list[str]], list[str]], values: dict[str, Any]
    ) -> list[str]:
        mine = SESSIONS.c.session_id == session_id

        def write(connection: Connection) -> list[str] | None:
            locked = select(SESSIONS.c.bank_ids).where(mine).with_for_update()
            before = connection.execute(locked).scalar_one_or_none()
            if before is None:
                return None
            after = change(json.loads(before))
            connection.execute(update(SESSIONS).where(mine).values(bank_ids=json.dumps(after), **values))
            return after

        attached: list[str] | None = await self._commits.submit(write)
        if attached is None:
            raise ResourceNotFound(KIND, session_id)
        return attached


def _session_of(row: Any) -> StoredSession:
    return StoredSession(
        session_id=row["session_id"],
        tenant=row["tenant"],
        system_id=row["system_id"],
        name=row["name"],
        bank_ids=tuple(json.loads(row["bank_ids"])),
        files_bank=row["files_bank"],
        created_at=row["created_at"],
    )
