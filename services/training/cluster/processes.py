"""Ends what a Ray head left behind: its parts outlive their parents, and ``ray stop`` would end everybody's.

A process belongs to a head if its command line, its working folder, one of its open files or its environment names the
head's folder (Linux only).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def members(folder: Path) -> set[int]:
    """Return the processes of this user that belong to the head of a folder, but this one."""
    own, mark = os.getuid(), str(folder)
    found = set()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if entry.stat().st_uid == own and any(mark in text for text in _texts(entry)):
                found.add(int(entry.name))
    return found


def _texts(entry: Path) -> Iterator[str]:
    for name in ("cmdline", "environ"):
        with suppress(OSError):
            yield (entry / name).read_bytes().decode(errors="replace")
    with suppress(OSError):
        yield os.readlink(entry / "cwd")
    for handle in (entry / "fd").iterdir():
        with suppress(OSError):
            yield os.readlink(handle)


def end(folder: Path, spare: frozenset[int] = frozenset(), patience_s: float = 10.0) -> None:
    """Kill the processes of a head but those to spare, and return when none is left or patience is over."""
    until = time.monotonic() + patience_s
    while (left := members(folder) - spare) and time.monotonic() < until:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)
