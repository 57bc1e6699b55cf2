"""The members of free JSON objects, kept so that their owners can be found by equality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, cast, delete, exists
from sqlalchemy import String as SqlString
from sqlalchemy.ext.asyncio import AsyncSession

from llamastack.common.v1.value_pb2 import JsonValue
from mesh.errors import InvalidField
from services.eval.observability import keys
from services.eval.observability.tables import MEMBERS

MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class Owner:
    """A row that has members: its tenant, its kind (``run``, for example) and its key."""

    tenant: str
    kind: str
    key: str


async def replace(session: AsyncSession, owners: Mapping[Owner, Mapping[str, JsonValue]]) -> None:
    """Put these members in the place of those that the owners had."""
    for owner in owners:
        await session.execute(
            delete(MEMBERS).where(
                MEMBERS.c.tenant == owner.tenant, MEMBERS.c.kind == owner.kind, MEMBERS.c.owner == owner.key
            )
        )
    await add(session, owners)


async def add(session: AsyncSession, owners: Mapping[Owner, Mapping[str, JsonValue]]) -> None:
    """Add the members of owners that have none so far."""
    rows = [
        {
            "tenant": owner.tenant,
            "kind": owner.kind,
            "owner": owner.key,
            "name": _name(name),
            "value": keys.digest(value),
        }
        for owner, members in owners.items()
        for name, value in members.items()
    ]
    if rows:
        await session.execute(MEMBERS.insert(), rows)


def equal(
    tenant: str, kind: str, owner: ColumnElement[Any], wanted: Mapping[str, JsonValue]
) -> Sequence[ColumnElement[bool]]:
    """Return the conditions that hold for owners (by the column of their key) with all of the wanted members."""
    key = cast(owner, SqlString(64))
    return [
        exists().where(
            MEMBERS.c.tenant == tenant,
            MEMBERS.c.kind == kind,
            MEMBERS.c.owner == key,
            MEMBERS.c.name == _name(name),
            MEMBERS.c.value == keys.digest(value),
        )
        for name, value in sorted(wanted.items())
    ]


def merge(into: Any, changes: Mapping[str, JsonValue]) -> None:
    """Add or replace members of a message's map; null takes one away.

    Raises:
        InvalidField: there would be too many.
    """
    for name, value in changes.items():
        if value.WhichOneof("kind") in {None, "null_value"}:
            into.pop(name, None)
        else:
            into[name].CopyFrom(value)
    if len(into) > MOST:
        raise InvalidField("metadata", f"at most {MOST} members in all are kept")


def _name(name: str) -> str:
    """Return a key for a name of any length."""
    return sha256(name.encode()).hexdigest()
