"""Runs Alembic migrations from inside a service; no ini file and no env.py is needed.

A folder of migrations is a folder of Alembic revision files, as in ``0001_jobs.py`` with ``revision``,
``down_revision``, ``upgrade()`` and ``downgrade()``. Every folder has a version table of its own, so that services and
parts of the mesh can share a database. Replicas that start together wait for each other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from mesh.errors import WrongState
from mesh.storage import POSTGRESQL, Storage

HEAD: Final = "head"
BASE: Final = "base"


@dataclass(frozen=True)
class Migrations:
    """A folder of migrations; ``name`` (a word) tells it from others in the same database."""

    name: str
    folder: Path

    @property
    def version_table(self) -> str:
        """The table that holds the revision that the database is at."""
        return f"alembic_version_{self.name}"


@dataclass(frozen=True)
class State:
    """The revision that a folder's tables are at, ``base`` if there are none, and the newest one."""

    name: str
    current: str
    head: str


async def migrate(storage: Storage, several: Sequence[Migrations], revision: str = HEAD) -> None:
    """Bring the database to a revision of each folder, in order; all in one transaction, nothing happens twice.

    ``revision`` is ``head``, an id, which may lie before the database's own, or ``base`` for taking everything back.

    Raises:
        WrongState: a newer version of the code made the tables, or the revision does not exist.
        BackendUnavailable: the database can't be reached.
    """
    async with storage.writing() as session:
        connection = await session.connection()
        for migrations in several:
            await connection.run_sync(_run, migrations, revision, storage.kind)


async def states(storage: Storage, several: Sequence[Migrations]) -> list[State]:
    """Return how far each folder's tables are.

    Raises:
        BackendUnavailable: the database can't be reached.
    """

    def look(connection: Connection, migrations: Migrations) -> State:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.version_table})
        head = _history(migrations)[-1]
        return State(migrations.name, context.get_current_revision() or BASE, head)

    async with storage.reading() as session:
        connection = await session.connection()
        return [await connection.run_sync(look, each) for each in several]


async def differences(storage: Storage, metadata: MetaData) -> list[Any]:
    """Return what the database lacks or has too much compared with the tables of the code; empty if it fits.

    Only tables that the metadata knows are looked at.
    """

    def compare(connection: Connection) -> list[Any]:
        def ours(obj: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
            return kind != "table" or name in metadata.tables

        context = MigrationContext.configure(connection, opts={"include_object": ours})
        return list(compare_metadata(context, metadata))

    async with storage.reading() as session:
        return await (await session.connection()).run_sync(compare)


def _script(migrations: Migrations) -> ScriptDirectory:
    return ScriptDirectory(str(migrations.folder), version_locations=[str(migrations.folder)])


def _history(migrations: Migrations) -> list[str]:
    """Return the revisions of a folder, ``base`` first; a folder has one line of them."""
    newest_first = [found.revision for found in _script(migrations).walk_revisions()]
    return [BASE, *reversed(newest_first)]


def _run(connection: Connection, migrations: Migrations, revision: str, kind: str) -> None:
    if kind == POSTGRESQL:
        lock = zlib.crc32(migrations.version_table.encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
    config = Config()
    config.set_main_option("script_location", str(migrations.folder))
    script, history = _script(migrations), _history(migrations)
    wanted = history[-1] if revision == HEAD else revision
    if wanted not in history:
        raise WrongState(f"{migrations.name} has no revision {revision}, but {', '.join(history)}")

    def steps(current: Any, context: MigrationContext) -> Any:
        at = context.get_current_revision() or BASE
        if at not in history:
            raise WrongState(
                f"the database is at revision {at} of {migrations.name}, and this version knows none after "
                f"{history[-1]}: go back with the newer version first, or restore the backup"
            )
        if history.index(wanted) < history.index(at):
            return script._downgrade_revs(wanted, current)
        return script._upgrade_revs(wanted, current)

    with EnvironmentContext(config, script, fn=steps, destination_rev=wanted) as environment:
        environment.configure(connection=connection, version_table=migrations.version_table)
        with environment.begin_transaction():
            environment.run_migrations()
