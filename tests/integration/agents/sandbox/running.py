"""Running code in a sandbox, and seeing what is left of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from services.agents.sandbox.sandbox import Outcome, Sandbox, Task

KEY = "ALTIPLANO_TEST_API_KEY"


async def run(sandbox: Sandbox, code: str, files: Mapping[str, bytes] | None = None, timeout_s: float = 20) -> Outcome:
    """Run code in a fresh interpreter."""
    line = await sandbox.connect()
    try:
        return await line.run(Task(code, files or {}, timeout_s))
    finally:
        await line.close()


def processes() -> set[int]:
    """Return the descendants of this process."""
    parents = _parents()
    found = list(parents.get(os.getpid(), []))
    for each in found:
        found += parents.get(each, [])
    return set(found)


def children() -> set[int]:
    """Return the children of this process."""
    return set(_parents().get(os.getpid(), []))


def _parents() -> dict[int, list[int]]:
    """Return the children of each process."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    return parents
