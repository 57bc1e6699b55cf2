"""The files of a call: placed before it, and what became of them afterwards. Links are never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Snapshot: TypeAlias = dict[str, tuple[int, int, int]]
"""Number, size and time of change of each file by its path below the folder."""

_DEEPEST: Final = 16
_FILES_AT_MOST: Final = 1000
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class Changes:
    """Contents of files that are new or changed by their paths, and the paths of those that are gone."""

    changed: dict[str, bytes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


def place(folder: str, files: Mapping[str, bytes]) -> Snapshot:
    """Write files below a folder and return what is there now."""
    for path, content in files.items():
        at = folder
        for part in path.split("/")[:-1]:
            at = os.path.join(at, part)
            if not os.path.isdir(at):
                os.mkdir(at, 0o700)
        target = os.path.join(folder, path)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
    return dict(_walk(folder))


def collect(folder: str, before: Snapshot, most: int) -> Changes:
    """Return what changed; files beyond ``most`` bytes together, and beyond a number, are left out."""
    changes = Changes()
    now = dict(_walk(folder))
    left = most
    for path, known in now.items():
        if before.get(path) == known or known[1] > left:
            continue
        content = _content(os.path.join(folder, path), left)
        if content is not None:
            left -= len(content)
            changes.changed[path] = content
    changes.removed = [path for path in before if path not in now]
    return changes


def figures(folder: str, number: int, most: int) -> list[bytes]:
    """Return the plots in a folder, in order, and delete them; at most ``number`` and ``most`` bytes together."""
    found = []
    for path, known in sorted(_walk(folder))[:number]:
        full = os.path.join(folder, path)
        content = _content(full, most) if known[1] <= most else None
        if content is not None:
            most -= len(content)
            found.append(content)
        os.unlink(full)
    return found


def _walk(folder: str, below: str = "", depth: int = 0) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield the regular files below a folder by their paths."""
    try:
        entries = sorted(os.scandir(os.path.join(folder, below)), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries[:_FILES_AT_MOST]:
        path = f"{below}/{entry.name}" if below else entry.name
        try:
            path.encode()
            known = entry.stat(follow_symlinks=False)
        except (OSError, UnicodeEncodeError):
            continue
        if stat.S_ISREG(known.st_mode):
            yield path, (known.st_ino, known.st_size, known.st_mtime_ns)
        elif stat.S_ISDIR(known.st_mode) and depth < _DEEPEST:
            yield from _walk(folder, path, depth + 1)


def _content(path: str, most: int) -> bytes | None:
    """Return a regular file's bytes; None if it is another thing, too long, or can't be read."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None
