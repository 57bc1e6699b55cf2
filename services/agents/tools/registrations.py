"""What tenants registered, in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Table, delete, select
from sqlalchemy.exc import IntegrityError

from llamastack.tools.v1.mcp_server_pb2 import RegisterMcpServerRequest
from llamastack.tools.v1.tool_pb2 import RegisterToolRequest
from mesh.errors import ResourceExists, ResourceNotFound
from mesh.storage import Storage

Spec = TypeVar("Spec", RegisterToolRequest, RegisterMcpServerRequest)


@dataclass(frozen=True, slots=True)
class Row(Generic[Spec]):
    """A registration; ``created_at`` is Unix seconds."""

    name: str
    spec: Spec
    created_at: float


class Registrations(Generic[Spec]):
    """The registrations of one kind (``tool``, ``MCP server``) in its table. ``clock`` gives Unix seconds."""

    def __init__(
        self, storage: Storage, table: Table, kind: tuple[str, type[Spec]], clock: Callable[[], float]
    ) -> None:
        """``kind`` is what errors call it, and its request."""
        self._storage = storage
        self._table = table
        self._kind = kind[0]
        self._spec: type[Spec] = kind[1]
        self._clock = clock

    async def add(self, tenant: str, name: str, spec: Spec) -> Row[Spec]:
        """Keep a registration; the same one again is the one that is there.

        Raises:
            ResourceExists: there is another one of that name.
        """
        columns = self._table.c
        row = Row(name, spec, self._clock())
        values = {
            "tenant": tenant,
            "name": name,
            "spec": spec.SerializeToString(deterministic=True),
            "created_at": row.created_at,
        }
        try:
            async with self._storage.writing() as session:
                known = await session.execute(
                    select(columns.name).where(columns.tenant == tenant, columns.name == name)
                )
                if known.first() is None:
                    await session.execute(self._table.insert().values(values))
                    return row
        except IntegrityError as error:
            raise ResourceExists(self._kind, name) from error
        found = await self.get(tenant, name)
        if found.spec != spec:
            raise ResourceExists(self._kind, name)
        return found

    async def get(self, tenant: str, name: str) -> Row[Spec]:
        """Return a registration.

        Raises:
            ResourceNotFound: the tenant has none of that name.
        """
        found = await self.page(tenant, name=name)
        if not found:
            raise ResourceNotFound(self._kind, name)
        return found[0]

    async def page(
        self, tenant: str, *, name: str | None = None, after: str = "", size: int | None = None
    ) -> list[Row[Spec]]:
        """Return registrations by name: one, those after a name, or all."""
        columns = self._table.c
        chosen: Any = columns.name > after if name is None else columns.name == name
        query = select(self._table).where(columns.tenant == tenant, chosen).order_by(columns.name).limit(size)
        async with self._storage.reading() as session:
            rows = (await session.execute(query)).mappings().all()
        return [Row(row["name"], self._spec.FromString(row["spec"]), row["created_at"]) for row in rows]

    async def remove(self, tenant: str, name: str) -> Row[Spec]:
        """Delete a registration and return what it was.

        Raises:
            ResourceNotFound: the tenant has none of that name.
        """
        found = await self.get(tenant, name)
        columns = self._table.c
        async with self._storage.writing() as session:
            await session.execute(delete(self._table).where(columns.tenant == tenant, columns.name == name))
        return found
