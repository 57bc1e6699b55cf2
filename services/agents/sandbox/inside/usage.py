"""How much memory a process and its descendants use."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Final

_PAGE: Final = resource.getpagesize()


def memory_of(pid: int, proc: int) -> int:
    """Return the bytes of anonymous memory that a process and its descendants hold; ``proc`` is an open /proc.

    Pages that several processes share since a fork count in parts.
    """
    return sum(_anonymous(each, proc) for each in _family(pid, proc))


def _family(pid: int, proc: int) -> list[int]:
    """Return a process and its descendants."""
    parents: dict[int, list[int]] = {}
    listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
    try:
        names = os.listdir(listing)
    finally:
        os.close(listing)
    for name in names:
        if name.isdigit() and (stat := _read(f"{name}/stat", proc)):
            # the name in parentheses may hold anything
            parent = int(stat.rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(name))
    family = [pid]
    for each in family:
        family += parents.get(each, [])
    return family


def _anonymous(pid: int, proc: int) -> int:
    """Return the bytes of a process's proportional share of anonymous memory."""
    rollup = _read(f"{pid}/smaps_rollup", proc)
    for line in rollup.splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    resident = _read(f"{pid}/statm", proc).split()
    return (int(resident[1]) - int(resident[2])) * _PAGE if len(resident) > 2 else 0


def _read(path: str, proc: int) -> str:
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY, dir_fd=proc)
        try:
            return os.read(file, 8192).decode("utf-8", "replace")
        finally:
            os.close(file)
    return ""
