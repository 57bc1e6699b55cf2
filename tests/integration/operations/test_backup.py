"""A mesh is lost and brought back from its backup, by the steps of docs/operations.md: everything is served again."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # the package has no types
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from cli.main import main
from services.inference.model_file import ModelFile
from services.inference.model_spec import ModelSpec
from tests.integration.security.apps import APPS, running
from tests.integration.security.test_tenancy import Tenancy, tenancies

KEEPERS = tuple(name for name in APPS if name != "inference")
REGISTERED = ModelSpec("elsewhere", addresses=("gpu-1.example:50051",))
Seen = Mapping[str, Mapping[str, str]]


def altiplano(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


async def served(
    stack: AsyncExitStack, names: tuple[str, ...], folder: Path, **settings: str
) -> dict[str, list[Tenancy]]:
    """Run services until the stack is left."""
    return {name: await stack.enter_async_context(tenancies(name, folder, **settings)) for name in names}


async def seen(found: Mapping[str, list[Tenancy]]) -> Seen:
    """Return what an owner reads by every RPC that reads."""
    return {
        name: {rpc: answer for tenancy in several for rpc, answer in (await tenancy.seen()).items()}
        for name, several in found.items()
    }


async def made(found: Mapping[str, list[Tenancy]]) -> dict[tuple[str, int], Mapping[str, str]]:
    """Have an owner make something in every area; return the names of what was made."""
    for several in found.values():
        for tenancy in several:
            await tenancy.make()
    return {(name, at): dict(tenancy.kept) for name, several in found.items() for at, tenancy in enumerate(several)}


async def seen_again(folder: Path, kept: Mapping[tuple[str, int], Mapping[str, str]], **settings: str) -> Seen:
    """Start the services anew and return what the owner of what was made reads."""
    async with AsyncExitStack() as stack:
        found = await served(stack, KEEPERS, folder, **settings)
        for (name, at), names in kept.items():
            found[name][at].kept = dict(names)
        return await seen(found)


async def test_a_mesh_on_files_is_backed_up_while_it_serves_and_brought_back(tmp_path: Path) -> None:
    data, archive = tmp_path / "mesh", tmp_path / "mesh.tar"
    ModelFile(data / "inference" / "models.json").write([REGISTERED], [])
    (data / "logs").mkdir()
    async with AsyncExitStack() as others:
        found = await served(others, tuple(name for name in KEEPERS if name != "memory"), data)
        async with AsyncExitStack() as memory:
            found |= await served(memory, ("memory",), data)
            kept = await made(found)
            before = await seen(found)
            refused = await asyncio.to_thread(altiplano, "backup", archive, "--data", data)
        assert (refused.exit_code, "stop the memory service first" in refused.stderr) == (1, True)
        assert os.listdir(tmp_path) == [data.name]
        # the others go on: what they write from here on is in no backup
        taken = await asyncio.to_thread(altiplano, "backup", archive, "--data", data)
        assert (taken.exit_code, taken.stderr) == (0, "")
        await made({name: found[name] for name in ("agents", "eval")})
        late = await asyncio.to_thread(altiplano, "restore", archive, "--data", data)
    assert (late.exit_code, "an empty folder is needed" in late.stderr) == (1, True)
    assert archive.stat().st_mode & 0o077 == 0
    shutil.rmtree(data)
    brought = await asyncio.to_thread(altiplano, "restore", archive, "--data", data)
    assert (brought.exit_code, brought.stderr) == (0, "")
    assert sorted(each.name for each in data.iterdir()) == sorted(APPS)
    assert await seen_again(data, kept) == before
    async with running("inference", data) as app:
        assert [entry.spec for entry in app.catalog.entries()] == [REGISTERED]


def postgres(program: str, url: str, *arguments: str | Path) -> None:
    """Run a program of PostgreSQL on a database."""
    package = find_spec("pgserver")
    assert package is not None
    assert package.origin is not None
    binary = Path(package.origin).parent / "pginstall" / "bin" / program
    where = make_url(url)
    named = ["-h", str(where.query["host"]), "-U", str(where.username), "-d", str(where.database)]
    subprocess.run([binary, *named, *arguments], check=True, timeout=60, env={"PATH": os.environ["PATH"]})


async def emptied(url: str) -> None:
    """Lose what is in a database."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


async def test_a_mesh_on_postgresql_is_brought_back_with_its_files(tmp_path: Path, postgres_url: str) -> None:
    data, dump, archives = tmp_path / "mesh", tmp_path / "mesh.dump", tmp_path / "archives"
    archives.mkdir()
    settings = {"ALTIPLANO_DATABASE_URL": postgres_url}
    async with AsyncExitStack() as stack:
        found = await served(stack, KEEPERS, data, **settings)
        kept = await made(found)
        before = await seen(found)
    await asyncio.to_thread(postgres, "pg_dump", postgres_url, "--format", "custom", "--file", dump)
    volumes = os.listdir(data)
    assert {"memory", "training", "eval"} <= set(volumes)
    for name in volumes:
        with (archives / name).open("wb") as out:
            await in_pod(data / name, stdout=out)
    shutil.rmtree(data)
    await emptied(postgres_url)
    for name in volumes:
        with (archives / name).open("rb") as source:
            await in_pod("--restore", data / name, stdin=source)
    await asyncio.to_thread(postgres, "pg_restore", postgres_url, "--clean", "--if-exists", dump)
    assert await seen_again(data, kept, **settings) == before


async def in_pod(*arguments: str | Path, **streams: object) -> None:
    """Run what is run in a pod."""
    command = [sys.executable, "-m", "mesh.backup", *arguments]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(*command, env=environment, **streams)  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        assert await process.wait() == 0


@pytest.mark.parametrize("there", ["nothing", "logs"])
def test_a_folder_without_services_is_no_mesh(there: str, tmp_path: Path) -> None:
    (tmp_path / there).mkdir()
    told = altiplano("backup", tmp_path / "mesh.tar", "--data", tmp_path)
    assert (told.exit_code, "has no services in it" in told.stderr) == (2, True)
    assert not (tmp_path / "mesh.tar").exists()
