"""Improving the index of a bank in a process of its own: ``python -m services.memory.improvement FOLDER PARENT``.

The engine holds the interpreter for as long as it improves an index, which is minutes for a large bank, so the service
has it done to a copy by a process that nobody waits for. What was written meanwhile is carried over to the copy, and
the copy takes the bank's place. The process ends with its parent, and gives way to whatever else the machine does.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from qdrant_edge import EdgeShard, FieldCondition, Filter, MatchAny, Point, ScrollRequest, UpdateOperation

from mesh.parentage import die_with
from services.memory import points

_NICENESS: Final = 10
_NOTHING: Final = 3
"""The exit status of a process that found nothing to improve."""
_PART: Final = 1024 * 1024
_REVISIONS: Final = 256
"""Revisions that are carried over at once."""


class ImprovementFailed(Exception):
    """The index could not be improved; the copy is of no use."""


async def improve(folder: Path) -> bool:
    """Improve the index of the shard in a folder that nobody has open, and return whether there was something to do.

    Raises:
        ImprovementFailed: the process ended before it was done.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.memory.improvement", str(folder), str(os.getpid())),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status not in {0, _NOTHING}:
        raise ImprovementFailed(f"the process ended with status {status}")
    return status == 0


def copy(source: Path, target: Path) -> None:
    """Copy a shard that nobody writes to now; what is in its log is applied when the copy is opened."""
    shutil.copytree(source, target, copy_function=_copy_file)


def carry(source: EdgeShard, target: EdgeShard, revisions: Collection[str]) -> None:
    """Have the target hold of these revisions what the source holds."""
    for some in _batches(sorted(revisions), _REVISIONS):
        chosen = Filter(must=[FieldCondition(points.REVISION, match=MatchAny(list(some)))])
        target.update(UpdateOperation.delete_points_by_filter(chosen))
        offset = None
        while True:
            request = ScrollRequest(
                offset=offset, limit=points.BATCH, filter=chosen, with_payload=True, with_vector=True
            )
            found, offset = source.scroll(request)
            made = [Point(one.id, one.vector or {}, one.payload) for one in found]
            if made:
                target.update(UpdateOperation.upsert_points(made))
            if offset is None:
                break


def main() -> int:
    """Improve one shard."""
    folder, parent = sys.argv[1], int(sys.argv[2])
    if not die_with(parent):
        return 1
    os.nice(_NICENESS)
    shard = EdgeShard.load(folder)
    improved = shard.optimize()
    shard.flush()
    shard.close()
    return 0 if improved else _NOTHING


def _copy_file(source: str, target: str) -> None:
    """Copy a file with its holes: the engine makes files much larger than what it writes into them."""
    with open(source, "rb") as read, open(target, "wb") as write:
        size, place = os.fstat(read.fileno()).st_size, 0
        write.truncate(size)
        while place < size:
            try:
                place = os.lseek(read.fileno(), place, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                # there is no more data
                return
            end = os.lseek(read.fileno(), place, os.SEEK_HOLE)
            while place < end:
                part = os.pread(read.fileno(), min(_PART, end - place), place)
                os.pwrite(write.fileno(), part, place)
                place += len(part)


def _batches(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


if __name__ == "__main__":
    sys.exit(main())
