"""A copy of what services keep in their ``DATA`` folders, as a tar archive, and the way back.

In a pod ``python -m mesh.backup /data`` writes the archive to standard output, and ``python -m mesh.backup --restore
/data`` reads one from standard input. ``altiplano backup`` and ``restore`` do it for all services of one machine.

SQLite databases are copied as they are at one instant while their services go on (SQLite's online backup), and before
other files, so that what they name is there. Folders of the embedded vector store are copied only while nobody has them
open. Folders that are made anew are left out. What is on a PostgreSQL, a Qdrant or in a bucket is not in it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from mesh.errors import MeshError, WrongState

SCRATCH: Final = frozenset({"logs", "ray", "copies", "staging", "lost+found"})
"""Folders of a service that nothing is lost with."""
AT_REST: Final = "banks"
"""The folder of the embedded vector store, whose files don't fit together while a process writes them."""
LAST: Final = "BACKUP.json"
"""The last file of an archive, which says that it is whole."""
_HALF: Final = ".restoring"
_SQLITE: Final = b"SQLite format 3\0"
_BESIDE: Final = ("-wal", "-shm", "-journal")


def back_up(folders: Mapping[str, Path], out: IO[bytes]) -> int:
    """Write an archive of the folders, each below its name (none for an empty one); return the number of files.

    Raises:
        WrongState: a folder is not there, a vector store is in use, or a file became shorter while it was read.
        OSError: a file can't be read, or the archive can't be written.
    """
    for folder in folders.values():
        if not folder.is_dir():
            raise WrongState(f"{folder} is no folder")
        if (folder / AT_REST).is_dir() and (users := holders(folder)):
            raise WrongState(f"{folder} is in use by process {min(users)}: stop the memory service first")
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        found = {folder: list(_kept(folder)) for folder in folders.values()}
        databases = {folder: [file for file in files if _is_database(file)] for folder, files in found.items()}
        count = 0
        for name, folder in folders.items():
            for file in databases[folder]:
                _add_database(archive, file, str(Path(name, file.relative_to(folder))))
                count += 1
        for name, folder in folders.items():
            beside = {Path(f"{file}{end}") for file in databases[folder] for end in ("", *_BESIDE)}
            for file in found[folder]:
                place = str(Path(name, file.relative_to(folder)))
                if file.is_dir():
                    archive.add(file, place, recursive=False)
                elif file not in beside:
                    count += _add(archive, file, place)
        told = {
            "files": count,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": version("altiplano"),
        }
        last = json.dumps(told).encode()
        entry = tarfile.TarInfo(LAST)
        entry.size = len(last)
        archive.addfile(entry, BytesIO(last))
    return count


def restore(archive: IO[bytes], folder: Path) -> int:
    """Bring back what is in an archive into a folder that is empty or not there; return the number of files.

    Nothing is there until everything is.

    Raises:
        WrongState: there is something in the folder, a process has it open, or the archive is none or not whole.
        OSError: the folder can't be written.
    """
    if folder.exists() and (there := sorted({each.name for each in folder.iterdir()} - SCRATCH - {_HALF})):
        raise WrongState(f"{folder} has {there[0]} in it: an empty folder is needed")
    if users := holders(folder):
        raise WrongState(f"{folder} is in use by process {min(users)}: stop the mesh first")
    half = folder / _HALF
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        count = _unpack(archive, half)
        for each in half.iterdir():
            each.rename(folder / each.name)
    finally:
        shutil.rmtree(half)
    return count


def _unpack(archive: IO[bytes], folder: Path) -> int:
    try:
        with tarfile.open(fileobj=archive, mode="r|") as opened:
            # absolute paths, links that lead out and devices are refused
            opened.extractall(folder, filter="data")
        last = folder / LAST
        told = json.loads(last.read_text())["files"] if last.is_file() else None
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise WrongState("this is no archive of a backup, or not a whole one") from error
    if told is None:
        raise WrongState("the archive is not whole: its end is missing")
    last.unlink()
    count = sum(1 for each in folder.rglob("*") if each.is_file())
    if count != told:
        raise WrongState(f"the archive is not whole: {count} files of {told}")
    return count


def holders(folder: Path) -> set[int]:
    """Return the processes that have a file below a folder open, as far as this one may see them."""
    inside = f"{folder.resolve()}/"
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mapped = f" {inside}" in (process / "maps").read_text()
            if mapped or any(_link(each).startswith(inside) for each in (process / "fd").iterdir()):
                found.add(int(process.name))
        except OSError:
            # it has ended, or is somebody else's
            continue
    return found


def _link(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""


def _kept(folder: Path) -> Iterator[Path]:
    """Yield the files and empty folders below a folder; links, sockets and what is made anew are left out."""
    for parent, folders, files in os.walk(folder):
        if Path(parent) == folder:
            folders[:] = [name for name in folders if name not in SCRATCH and not name.startswith(_HALF)]
        folders.sort()
        if not folders and not files:
            yield Path(parent)
        for name in sorted(files):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _is_database(file: Path) -> bool:
    if file.suffix != ".db" or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(_SQLITE)) == _SQLITE


def _add_database(archive: tarfile.TarFile, file: Path, name: str) -> None:
    # beside the database, because a temporary folder may be smaller than it is
    with TemporaryDirectory(dir=file.parent, prefix=_HALF) as folder:
        copy = Path(folder, file.name)
        with closing(sqlite3.connect(file)) as live, closing(sqlite3.connect(copy)) as made:
            live.backup(made)
        shutil.copymode(file, copy)
        _add(archive, copy, name)


def _add(archive: tarfile.TarFile, file: Path, name: str) -> int:
    """Add a file as it was when it was opened; one that has gone meanwhile is none."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return 0
    with opened:
        entry = archive.gettarinfo(arcname=name, fileobj=opened)
        # two names of one file are two files
        entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", os.fstat(opened.fileno()).st_size
        try:
            archive.addfile(entry, opened)
        except OSError as error:
            if error.errno is not None:
                raise
            raise WrongState(f"{file} became shorter while it was read: try again") from error
    return 1


def main(arguments: list[str]) -> int:
    """Return the exit code: 2 for what can't work, with the reason on standard error."""
    if arguments[:-1] not in ([], ["--restore"]) or not arguments or arguments[-1].startswith("-"):
        print("usage: python -m mesh.backup [--restore] FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[-1])
    try:
        if len(arguments) == 2:
            print(f"backup: {restore(sys.stdin.buffer, folder)} files", file=sys.stderr)
        else:
            print(f"backup: {back_up({'': folder}, sys.stdout.buffer)} files", file=sys.stderr)
    except MeshError as error:
        print(f"backup: {error.message}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"backup: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
