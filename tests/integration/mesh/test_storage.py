"""Storage and migrations on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.exc import IntegrityError

from mesh.config import ConfigError
from mesh.errors import BackendUnavailable, ResourceBusy
from mesh.jobs.store import MIGRATIONS
from mesh.jobs.table import METADATA
from mesh.migrations import Migrations, differences, migrate
from mesh.storage import Storage, StorageConfig

NOTES = Table("notes", MetaData(), Column("id", Integer, primary_key=True), Column("text", String(20)))

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "1", None, None, None
def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
def downgrade():
    op.drop_table("notes")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "2", "1", None, None
def upgrade():
    op.add_column("notes", sa.Column("text", sa.String(20)))
def downgrade():
    with op.batch_alter_table("notes") as batch:
        batch.drop_column("text")
"""


@pytest.fixture
def notes(tmp_path: Path) -> Migrations:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_notes.py").write_text(FIRST)
    (folder / "0002_text.py").write_text(SECOND)
    return Migrations("notes", folder)


async def test_migrations_of_several_folders_share_a_database(storage: Storage, notes: Migrations) -> None:
    await migrate(storage, [MIGRATIONS, notes])
    assert await differences(storage, NOTES.metadata) == []
    assert await differences(storage, METADATA) == []


async def test_migrations_that_ran_do_not_run_again_and_can_be_taken_back(storage: Storage, notes: Migrations) -> None:
    await migrate(storage, [notes], "1")
    assert [kind[0] for kind in await differences(storage, NOTES.metadata)] == ["add_column"]
    await migrate(storage, [notes])
    await migrate(storage, [notes])
    assert await differences(storage, NOTES.metadata) == []
    await migrate(storage, [notes], "base")
    assert [kind[0] for kind in await differences(storage, NOTES.metadata)] == ["add_table"]


async def test_replicas_that_start_together_migrate_once(database_url: str, notes: Migrations) -> None:
    replicas = [Storage(StorageConfig(url=database_url)) for _ in range(3)]
    await asyncio.gather(*(migrate(replica, [notes]) for replica in replicas))
    assert await differences(replicas[0], NOTES.metadata) == []
    await asyncio.gather(*(replica.close() for replica in replicas))


async def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_exception(
    storage: Storage, notes: Migrations
) -> None:
    await migrate(storage, [notes])
    async with storage.writing() as session:
        await session.execute(NOTES.insert().values(id=1, text="kept"))
    with pytest.raises(IntegrityError):
        await insert_twice(storage)
    async with storage.reading() as session:
        rows = (await session.execute(select(NOTES))).all()
    assert [tuple(row) for row in rows] == [(1, "kept")]


async def insert_twice(storage: Storage) -> None:
    async with storage.writing() as session:
        await session.execute(NOTES.insert().values(id=2, text="lost"))
        await session.execute(NOTES.insert().values(id=1, text="second"))


async def test_writers_that_read_first_wait_for_each_other_and_lose_nothing(
    storage: Storage, notes: Migrations
) -> None:
    await migrate(storage, [notes])
    async with storage.writing() as session:
        await session.execute(NOTES.insert().values(id=1, text="0"))

    async def count_up() -> None:
        async with storage.writing() as session:
            row = (await session.execute(select(NOTES).where(NOTES.c.id == 1).with_for_update())).one()
            await session.execute(NOTES.update().values(text=str(int(row.text) + 1)))

    await asyncio.gather(*(count_up() for _ in range(20)))
    async with storage.reading() as session:
        assert (await session.execute(select(NOTES.c.text))).scalar_one() == "20"


async def test_a_reader_does_not_wait_for_a_writer(storage: Storage, notes: Migrations) -> None:
    await migrate(storage, [notes])
    async with storage.writing() as writer:
        await writer.execute(NOTES.insert().values(id=1, text="not yet"))
        async with storage.reading() as reader:
            assert (await reader.execute(select(NOTES))).all() == []


async def test_a_lock_that_is_not_to_be_had_in_time_is_resource_busy(database_url: str, notes: Migrations) -> None:
    patient = Storage(StorageConfig(url=database_url))
    hasty = Storage(StorageConfig(url=database_url, wait_s=0.2))
    await migrate(patient, [notes])
    async with patient.writing() as session:
        await session.execute(NOTES.insert().values(id=1, text="a"))
    async with patient.writing() as session:
        await session.execute(NOTES.update().values(text="b"))
        with pytest.raises(ResourceBusy):
            await update(hasty)
    await patient.close()
    await hasty.close()


async def update(storage: Storage) -> None:
    async with storage.writing() as session:
        await session.execute(NOTES.update().values(text="c"))


async def test_a_database_that_is_alive_passes_the_check(storage: Storage) -> None:
    await storage.check()


async def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    storage = Storage(StorageConfig(url=f"sqlite:///{tmp_path}/deep/er/state.db"))
    await storage.check()
    await storage.close()
    assert (tmp_path / "deep" / "er" / "state.db").exists()


def test_a_folder_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"the folder of state\.db can't be made"):
        Storage(StorageConfig(url=f"sqlite:///{tmp_path}/file/deep/state.db"))


async def test_a_database_that_is_away_is_backend_unavailable() -> None:
    storage = Storage(StorageConfig(url="postgresql://postgres@127.0.0.1:1/none", wait_s=2.0))
    with pytest.raises(BackendUnavailable):
        await storage.check()
    await storage.close()


async def test_a_file_error_inside_a_transaction_stays_what_it_is(storage: Storage) -> None:
    with pytest.raises(PermissionError):
        await fail_inside(storage)


async def fail_inside(storage: Storage) -> None:
    async with storage.writing():
        raise PermissionError("a file of the domain's own")


def test_several_replicas_are_refused_on_sqlite() -> None:
    with pytest.raises(ValueError, match="3 replicas can't share a SQLite file"):
        StorageConfig(url="sqlite:///state.db", replicas=3)


def test_several_replicas_share_postgresql() -> None:
    assert StorageConfig(url="postgresql://db/x", replicas=3).replicas == 3


def test_a_service_has_a_file_of_its_own_where_no_database_is_configured() -> None:
    own = Path("data/own.db")
    assert StorageConfig(pool_size=3).or_file(own) == StorageConfig(url="sqlite:///data/own.db", pool_size=3)
    assert StorageConfig(url="sqlite:///other.db").or_file(own) == StorageConfig(url="sqlite:///other.db")


def test_another_database_is_refused_without_showing_its_password() -> None:
    with pytest.raises(ValueError, match="mysql is neither sqlite nor postgresql"):
        StorageConfig(url="mysql://user:hidden@host/db")
    assert "hidden" not in repr(StorageConfig(url="postgresql://user:hidden@host/db"))
