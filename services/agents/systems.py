"""The agentic systems of all tenants in the database. ``clock`` gives Unix seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, tuple_

from llamastack.agents.v1 import config_pb2 as pb
from mesh.errors import ResourceNotFound
from mesh.ids import new_id
from mesh.storage import Storage
from services.agents.commits import Commits
from services.agents.tables import SYSTEMS
from services.agents.turn import timestamp

KIND: Final = "agentic system"


@dataclass(frozen=True, slots=True)
class System:
    """An agentic system; its configuration names the model."""

    system_id: str
    tenant: str
    config: pb.AgenticSystemInstanceConfig
    created_at: float

    def message(self) -> pb.AgenticSystem:
        """Return it as callers get it."""
        return pb.AgenticSystem(
            system_id=self.system_id,
            model=self.config.model,
            instance_config=self.config,
            created_at=timestamp(self.created_at),
        )


class Systems:
    """Keeps agentic systems."""

    def __init__(self, storage: Storage, commits: Commits, clock: Callable[[], float]) -> None:
        """Keep the parts."""
        self._storage = storage
        self._commits = commits
        self._clock = clock

    async def create(self, tenant: str, config: pb.AgenticSystemInstanceConfig) -> System:
        """Store a system."""
        made = System(new_id(self._clock), tenant, config, self._clock())
        values = {
            "system_id": made.system_id,
            "tenant": tenant,
            "model": config.model,
            "config": config.SerializeToString(),
            "created_at": made.created_at,
        }

        def write(connection: Connection) -> None:
            connection.execute(insert(SYSTEMS).values(values))

        await self._commits.submit(write)
        return made

    async def get(self, tenant: str, system_id: str) -> System:
        """Return a system.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        query = select(SYSTEMS).where(SYSTEMS.c.tenant == tenant, SYSTEMS.c.system_id == system_id)
        row = await self._storage.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            raise ResourceNotFound(KIND, system_id)
        return system_of(row)

    async def page(self, tenant: str, after: tuple[float, str] | None, size: int) -> list[System]:
        """Return up to ``size`` systems, newest first, after one by its ``created_at`` and id."""
        query = select(SYSTEMS).where(SYSTEMS.c.tenant == tenant)
        if after is not None:
            query = query.where(tuple_(SYSTEMS.c.created_at, SYSTEMS.c.system_id) < after)
        query = query.order_by(SYSTEMS.c.created_at.desc(), SYSTEMS.c.system_id.desc()).limit(size)
        rows = await self._storage.read(lambda connection: connection.execute(query).mappings().all())
        return [system_of(row) for row in rows]

    async def delete(self, tenant: str, system_id: str) -> None:
        """Delete a system with all that belongs to it."""
        mine = (SYSTEMS.c.tenant == tenant, SYSTEMS.c.system_id == system_id)

        def write(connection: Connection) -> None:
            connection.execute(delete(SYSTEMS).where(*mine))

        await self._commits.submit(write)


def system_of(row: Any) -> System:
    """Return the system of a row."""
    config = pb.AgenticSystemInstanceConfig.FromString(row["config"])
    return System(row["system_id"], row["tenant"], config, row["created_at"])
