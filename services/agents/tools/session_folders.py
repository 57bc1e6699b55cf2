"""The files that code finds and leaves, by session: a folder for each, bounded in size.

What code leaves comes with paths that nobody vouches for; they are checked here. Links are neither made nor followed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from mesh.errors import InvalidField

_FILES: Final = "files"
_PLACED: Final = "placed.json"
_DEEPEST: Final = 16
_MOST_FILES: Final = 1000


@dataclass(frozen=True, slots=True)
class Placing:
    """A file to be placed: its name without slashes, its bytes, and what tells it from an earlier one of that name."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """What tells its bytes from others."""
        return hashlib.sha256(self.content).hexdigest()


class SessionFolder:
    """The files of one session."""

    def __init__(self, folder: Path, most: int, lock: asyncio.Lock) -> None:
        """``most`` is bytes of all files; hold ``lock`` around a call."""
        self._folder = folder
        self._most = most
        self.lock = lock

    def read(self) -> dict[str, bytes]:
        """Return all files by their paths."""
        return {path: (self._files / path).read_bytes() for path in self._paths()}

    def place(self, placings: Iterable[Placing]) -> None:
        """Write files that were not placed before, so that what code made of one of them stays.

        Raises:
            InvalidField: a name has slashes, or there are too many bytes.
        """
        record = self._folder / _PLACED
        placed: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
        fresh = {each.name: each for each in placings if placed.get(each.name) != each.digest}
        if not fresh:
            return
        for name in fresh:
            if not name or "/" in name or name in {".", ".."} or "\0" in name or len(name.encode()) > 255:
                raise InvalidField("files", "names of files without slashes are needed")
        left_out = self.write({name: each.content for name, each in fresh.items()}, ())
        if left_out:
            raise InvalidField("files", f"the files of a session may have {self._most >> 20} MiB together")
        placed |= {name: each.digest for name, each in fresh.items()}
        record.write_text(json.dumps(placed))

    def write(self, changed: Mapping[str, bytes], removed: Iterable[str]) -> list[str]:
        """Write and delete files; return the paths of those that did not fit or can't be."""
        self._files.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in removed:
            if _sound(path):
                (self._files / path).unlink(missing_ok=True)
        sizes = {path: (self._files / path).stat().st_size for path in self._paths()}
        left_out = []
        for path, content in changed.items():
            total = sum(size for each, size in sizes.items() if each != path) + len(content)
            if not _sound(path) or total > self._most or len(sizes) >= _MOST_FILES or not self._put(path, content):
                left_out.append(path)
                continue
            sizes[path] = len(content)
        return left_out

    def _put(self, path: str, content: bytes) -> bool:
        """Write a file; return False where a folder is in the place of a file or the other way round."""
        target = self._files / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            target.write_bytes(content)
        except OSError:
            return False
        return True

    @property
    def _files(self) -> Path:
        return self._folder / _FILES

    def _paths(self) -> list[str]:
        found = []
        for folder, _, names in os.walk(self._files):
            found += [str((Path(folder) / name).relative_to(self._files)) for name in names]
        return sorted(found)


class SessionFolders:
    """The folders of all sessions below one; ``most`` is bytes per session."""

    def __init__(self, root: Path, most: int) -> None:
        """Make nothing before something is written."""
        self._root = root
        self._most = most
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, tenant: str, session_id: str) -> SessionFolder:
        """Return the folder of a session."""
        name = key(tenant, session_id)
        lock = self._locks.setdefault(name, asyncio.Lock())
        return SessionFolder(self._root / name, self._most, lock)

    async def forget(self, tenant: str, session_id: str) -> None:
        """Delete what is kept for a session."""
        async with self.of(tenant, session_id).lock:
            await asyncio.to_thread(shutil.rmtree, self._root / key(tenant, session_id), True)


def key(tenant: str, session_id: str) -> str:
    """Return a name for a session that is one for files as well."""
    digest = hashlib.sha256(json.dumps([tenant, session_id]).encode()).digest()
    return base64.b32encode(digest[:20]).decode("ascii").lower()


def _sound(path: str) -> bool:
    parts = path.split("/")
    whole = bool(path) and "\0" not in path and len(path.encode("utf-8", "replace")) < 1024
    return whole and len(parts) <= _DEEPEST and all(part not in {"", ".", ".."} for part in parts)
