"""What is in the archive of a backup, and what is refused as one."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from mesh.backup import back_up, main, restore
from mesh.errors import WrongState


def archived(**folders: Path) -> BytesIO:
    out = BytesIO()
    back_up(folders, out)
    out.seek(0)
    return out


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return the content of every file, and None for every folder."""
    return {str(each.relative_to(folder)): each.read_bytes() if each.is_file() else None for each in folder.rglob("*")}


def make(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def rows(file: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT value FROM numbers").fetchall()


def test_files_and_empty_folders_come_back_and_what_is_made_anew_does_not(tmp_path: Path) -> None:
    agents = make(tmp_path / "from" / "agents", one=b"1", empty=b"")
    make(agents / "sessions" / "logs", deep=b"2")
    (agents / "sessions" / "none").mkdir()
    make(agents / "logs", log=b"old")
    make(agents / "staging", half=b"half")
    (agents / "link").symlink_to("/etc/passwd")
    (agents / "twin").hardlink_to(agents / "one")
    (agents / "other.db").write_bytes(b"no database")
    assert restore(archived(agents=agents), tmp_path / "to") == 5
    assert tree(tmp_path / "to") == {
        "agents": None,
        "agents/one": b"1",
        "agents/twin": b"1",
        "agents/empty": b"",
        "agents/other.db": b"no database",
        "agents/sessions": None,
        "agents/sessions/logs": None,
        "agents/sessions/logs/deep": b"2",
        "agents/sessions/none": None,
    }


def test_what_a_database_was_last_told_is_in_it_though_its_process_was_killed_or_goes_on(tmp_path: Path) -> None:
    folder = make(tmp_path / "live")
    with closing(sqlite3.connect(folder / "agents.db", isolation_level=None)) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("CREATE TABLE numbers (value INTEGER)")
        live.execute("INSERT INTO numbers VALUES (1)")
        # as a process leaves it that is killed: the rows are beside the database
        killed = Path(shutil.copytree(folder, tmp_path / "killed"))
        live.execute("BEGIN IMMEDIATE")
        live.execute("INSERT INTO numbers VALUES (2)")
        archives = [archived(live=folder, killed=killed)]
        live.execute("COMMIT")
        archives.append(archived(live=folder))
    for number, archive in enumerate(archives):
        restore(archive, tmp_path / f"to{number}")
    assert [rows(tmp_path / "to0" / name / "agents.db") for name in ("live", "killed")] == [[(1,)]] * 2
    assert rows(tmp_path / "to1" / "live" / "agents.db") == [(1,), (2,)]
    assert sorted(each.name for each in (tmp_path / "to0").rglob("*")) == ["agents.db"] * 2 + ["killed", "live"]
    assert [each.name for each in folder.iterdir()] == ["agents.db"]


def test_an_archive_that_is_cut_short_brings_back_nothing(tmp_path: Path) -> None:
    whole = archived(agents=make(tmp_path / "from", **{f"file{number}": b"x" * 2000 for number in range(20)}))
    content, to = whole.getvalue(), tmp_path / "to"
    for end in (0, 100, 512, 700, len(content) // 2, content.rindex(b"BACKUP.json") // 512 * 512 - 512):
        with pytest.raises(WrongState, match="archive"):
            restore(BytesIO(content[:end]), to)
        assert tree(to) == {}
    assert restore(BytesIO(content), to) == 20


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil"])
def test_nothing_is_written_outside_the_folder(name: str, tmp_path: Path) -> None:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        made.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        made.addfile(link)
    out.seek(0)
    with pytest.raises(WrongState, match="no archive of a backup"):
        restore(out, tmp_path / "to")
    assert tree(tmp_path) == {"to": None}
    assert not Path("/tmp/evil").exists()


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    archive = archived(agents=make(tmp_path / "from", one=b"1"))
    there = make(tmp_path / "to", mine=b"mine")
    with pytest.raises(WrongState, match="has mine in it"):
        restore(archive, there)
    assert tree(there) == {"mine": b"mine"}


def test_a_vector_store_is_copied_only_while_nobody_has_it_open(tmp_path: Path) -> None:
    memory = make(tmp_path / "memory")
    bank = make(memory / "banks" / "one", segment=b"vectors")
    with (bank / "segment").open("rb"), pytest.raises(WrongState, match="stop the memory service first"):
        archived(memory=memory)
    assert restore(archived(memory=memory), tmp_path / "to") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "usage: python -m mesh.backup"),
        (["--restore"], "usage: python -m mesh.backup"),
        (["none"], "backup: none is no folder\n"),
        (["--save", "/none"], "usage: python -m mesh.backup"),
    ],
)
def test_the_program_says_how_it_is_used(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(told)
