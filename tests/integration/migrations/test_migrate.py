"""``python -m services.<name> migrate``: forwards and back, on both databases."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from mesh.entry import Service
from mesh.storage import Storage, StorageConfig
from services.agents.__main__ import SERVICE as AGENTS
from services.eval.__main__ import SERVICE as EVAL
from services.memory.__main__ import SERVICE as MEMORY
from services.training.__main__ import SERVICE as TRAINING

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "agents": ("tools", "agents"),
    "memory": ("memory",),
    "training": ("jobs", "datasets", "synthetic", "post_training"),
    "eval": ("jobs", "observability", "evaluations"),
}
SERVICES: Mapping[str, Service[Any]] = {"agents": AGENTS, "memory": MEMORY, "training": TRAINING, "eval": EVAL}
BANK = """INSERT INTO memory_banks (uid, tenant, bank_id, name, config, created_at)
VALUES ('u', 'acme', 'mine', 'm', '', 1.0)"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def environ(name: str, url: str, folder: Path) -> dict[str, str]:
    """Return the settings of a service."""
    return {f"ALTIPLANO_{name.upper()}_DATABASE_URL": url, f"ALTIPLANO_{name.upper()}_DATA": str(folder / "data")}


def run(url: str, work: Any) -> Any:
    """Return what a function makes of a connection to the database."""

    async def inside() -> Any:
        storage = Storage(StorageConfig(url=url))
        try:
            return await storage.write(work)
        finally:
            await storage.close()

    return asyncio.run(inside())


def tables(url: str) -> set[str]:
    """Return the tables of a database, those of revisions left out."""

    def names(connection: Connection) -> set[str]:
        return {name for name in inspect(connection).get_table_names() if not name.startswith("alembic_version")}

    found: set[str] = run(url, names)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_goes_to_its_newest_tables_and_back_to_none(
    name: str, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service, own = SERVICES[name], environ(name, database_url, tmp_path)
    assert service.main(["migrate"], own) == 0
    made = tables(database_url)
    assert made
    assert [line.partition(": base -> ")[0] for line in capsys.readouterr().out.splitlines()] == list(FOLDERS[name])
    assert service.main(["migrate", "--show"], own) == 0
    assert "newest" not in capsys.readouterr().out
    # each folder stands on those before it
    for folder in reversed(FOLDERS[name]):
        assert service.main(["migrate", f"{folder}=base"], own) == 0
    assert tables(database_url) == set()
    assert service.main(["migrate"], own) == 0
    assert tables(database_url) == made


def test_rows_survive_a_way_back_and_forth(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = environ("memory", database_url, tmp_path)
    assert MEMORY.main(["migrate", "memory=0001"], own) == 0
    run(database_url, lambda connection: connection.execute(text(BANK)))
    for wanted in ("memory=0002", "memory=0001", "memory=0002"):
        assert MEMORY.main(["migrate", wanted], own) == 0
    assert capsys.readouterr().out.splitlines() == [
        "memory: base -> 0001 (newest is 0002)",
        "memory: 0001 -> 0002",
        "memory: 0002 -> 0001 (newest is 0002)",
        "memory: 0001 -> 0002",
    ]
    rows = run(database_url, lambda connection: connection.execute(text("SELECT bank_id FROM memory_banks")).all())
    assert [tuple(row) for row in rows] == [("mine",)]


def test_a_database_of_a_newer_version_is_left_alone(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = environ("memory", database_url, tmp_path)
    assert MEMORY.main(["migrate"], own) == 0
    newer = text("UPDATE alembic_version_memory SET version_num = '0009'")
    run(database_url, lambda connection: connection.execute(newer))
    before = tables(database_url)
    capsys.readouterr()
    problem = (
        "memory: the database is at revision 0009 of memory, and this version knows none after 0002: "
        "go back with the newer version first, or restore the backup\n"
    )
    for arguments in (["migrate"], ["migrate", "memory=0001"]):
        assert (MEMORY.main(arguments, own), capsys.readouterr().err) == (2, problem)
    assert tables(database_url) == before


def test_a_service_does_not_start_over_a_database_of_a_newer_version(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    own = environ("memory", url, tmp_path)
    assert MEMORY.main(["migrate"], own) == 0
    run(url, lambda connection: connection.execute(text("UPDATE alembic_version_memory SET version_num = '0009'")))
    own |= {"ALTIPLANO_MEMORY_BIND": "127.0.0.1:0", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "services.memory"], env=own, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "revision 0009" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["migrate", "memory=7"], "memory has no revision 7, but base, 0001, 0002"),
        (["migrate", "jobs=0001"], "migrate: there is no jobs, but memory"),
        (["migrate", "memory"], "migrate: memory is neither name=revision nor --show"),
        (["upgrade"], "'upgrade' is no option; there is --insecure"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = environ("memory", f"sqlite:///{tmp_path / 'test.db'}", tmp_path)
    assert (MEMORY.main(arguments, own), capsys.readouterr().err) == (2, f"memory: {problem}\n")


def test_a_database_that_is_away_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = environ("memory", "postgresql://postgres@127.0.0.1:1/none", tmp_path)
    assert (MEMORY.main(["migrate"], own), capsys.readouterr().err) == (2, "memory: the database can't be reached\n")
