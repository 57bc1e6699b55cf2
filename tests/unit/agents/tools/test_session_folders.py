"""What code leaves is kept below its session's folder and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.errors import InvalidField
from services.agents.tools.session_folders import Placing, SessionFolder, SessionFolders


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    """Return the folder of a session that may hold 10 bytes."""
    return SessionFolders(tmp_path / "sessions", 10).of("acme", "one")


def test_files_are_written_read_and_removed(folder: SessionFolder) -> None:
    assert folder.write({"a": b"1", "b/c": b"2"}, []) == []
    assert folder.write({"a": b"3"}, ["b/c", "never/there"]) == []
    assert folder.read() == {"a": b"3"}


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", "", ".", "a\0b", "/".join("d" * 17)])
def test_paths_that_lead_elsewhere_are_left_out(folder: SessionFolder, tmp_path: Path, path: str) -> None:
    assert folder.write({path: b"x"}, [path]) == [path]
    assert folder.read() == {}
    assert not (tmp_path / "x").exists()


def test_more_than_fits_is_left_out(folder: SessionFolder) -> None:
    assert folder.write({"a": b"x" * 8, "b": b"y" * 3, "c": b"zz"}, []) == ["b"]
    assert folder.write({"a": b"x" * 9}, []) == ["a"]
    assert folder.read() == {"a": b"x" * 8, "c": b"zz"}


def test_a_file_in_the_place_of_a_folder_is_left_out(folder: SessionFolder) -> None:
    assert folder.write({"a": b"1"}, []) == []
    assert folder.write({"a/b": b"2"}, []) == ["a/b"]


def test_a_file_is_placed_again_only_when_it_is_another_one(folder: SessionFolder) -> None:
    folder.place([Placing("a", b"old")])
    folder.write({"a": b"mine"}, [])
    folder.place([Placing("a", b"old")])
    assert folder.read() == {"a": b"mine"}
    folder.place([Placing("a", b"new")])
    assert folder.read() == {"a": b"new"}


def test_too_much_to_place_is_refused(folder: SessionFolder) -> None:
    with pytest.raises(InvalidField):
        folder.place([Placing("a", b"x" * 11)])


def test_sessions_of_different_tenants_have_different_folders(tmp_path: Path) -> None:
    folders = SessionFolders(tmp_path, 10)
    folders.of("acme", "one").write({"a": b"1"}, [])
    assert folders.of("bolt", "one").read() == {}
