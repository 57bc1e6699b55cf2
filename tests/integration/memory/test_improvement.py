"""The index of an embedded bank is improved while the bank is used, and nothing of it is lost on the way."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from services.memory import generations, improvement
from services.memory.conditions import Features
from services.memory.edge_store import EdgeStore
from services.memory.store import Piece, Search, Shape, StoredChunk
from tests.integration.memory import test_queries
from tests.integration.memory.serving import serving

SHAPE = Shape(2, words=True)
ALL = Search(limit=1000)
PIECE = Piece(0, "x", 0, 1, 1)
USES = (
    test_queries.test_readers_see_the_old_or_the_new_document_and_never_both_or_none,
    test_queries.test_concurrent_writers_of_a_bank_lose_nothing,
    test_queries.test_what_a_dead_writer_left_is_not_found_and_is_cleared_away,
    test_queries.test_more_banks_than_are_kept_open_are_used_at_once,
    test_queries.test_a_bank_that_is_dropped_under_its_users_is_not_found,
)


class Improver:
    """Improves when it is told to; ``failing`` makes it fail instead."""

    def __init__(self, *, failing: bool = False) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.failing = failing

    async def __call__(self, folder: Path) -> bool:
        self.begun.set()
        await self.go_on.wait()
        if self.failing:
            raise improvement.ImprovementFailed("as was asked")
        await improvement.improve(folder)
        # few vectors need no better index, but what takes over is the same
        return True


def chunks(first: int, count: int, revision: str = "r") -> list[StoredChunk]:
    return [
        StoredChunk(
            f"{revision}{number}", Piece(0, f"roof {revision}{number}", 0, 9, 3), Features([f"f{number % 2}"]), [1, 0]
        )
        for number in range(first, first + count)
    ]


async def held(store: EdgeStore) -> set[str]:
    """Return the revisions in the bank, by meaning and by words alike."""
    by_meaning = await store.nearest("b", [1.0, 0.0], ALL)
    by_words = await store.matching("b", "roofs", ALL)
    assert {hit.revision: hit.piece for hit in by_meaning} == {hit.revision: hit.piece for hit in by_words}
    return {hit.revision for hit in by_meaning}


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def until(folder: Path, *wanted: str) -> None:
    """Wait until this is in the folder and nothing else."""
    deadline = time.monotonic() + 60
    while names(folder) != list(wanted):
        assert time.monotonic() < deadline, names(folder)
        await asyncio.sleep(0.01)


async def test_what_is_written_and_forgotten_meanwhile_is_in_the_improved_bank(tmp_path: Path) -> None:
    improver = Improver()
    store = EdgeStore(tmp_path, optimize_after=50, improve=improver)
    await store.create("b", SHAPE)
    await store.write("b", chunks(0, 50))
    await asyncio.wait_for(improver.begun.wait(), 60)
    await store.write("b", chunks(50, 300))
    await store.forget("b", ["r3", "r60"])
    await store.write("b", [*chunks(7, 1), *chunks(0, 2, "s")])
    expected = {f"r{number}" for number in range(350)} - {"r3", "r60"} | {"s0", "s1"}
    assert await held(store) == expected
    improver.go_on.set()
    await until(tmp_path, "b.2", "b.at")
    assert await held(store) == expected
    await store.write("b", chunks(400, 1))
    await store.close()
    again = EdgeStore(tmp_path)
    assert await held(again) == expected | {"r400"}
    await again.close()


async def test_a_bank_is_searched_while_its_index_is_improved(tmp_path: Path) -> None:
    # the engine builds no index for less
    some = np.random.default_rng(5).standard_normal((3000, 1024)).tolist()
    store = EdgeStore(tmp_path, optimize_after=len(some))
    await store.create("b", Shape(1024, words=False))
    await store.write("b", [StoredChunk(str(number), PIECE, Features(), vector) for number, vector in enumerate(some)])
    longest, asked = 0.0, 0
    async with asyncio.timeout(100):
        while generations.current(tmp_path, "b").name != "b.2":
            began = time.monotonic()
            assert len(await store.nearest("b", some[0], Search(10))) == 10
            longest, asked = max(longest, time.monotonic() - began), asked + 1
    # the engine itself would answer nothing until it is done
    assert asked > 100
    assert longest < 5
    await store.close()


async def test_a_bank_goes_on_where_its_improvement_fails_or_it_is_closed(tmp_path: Path) -> None:
    for turn, failing in enumerate((True, False)):
        improver = Improver(failing=failing)
        store = EdgeStore(tmp_path, optimize_after=10, improve=improver)
        await store.create("b", SHAPE)
        await store.write("b", chunks(10 * turn, 10))
        await asyncio.wait_for(improver.begun.wait(), 60)
        if failing:
            improver.go_on.set()
            await until(tmp_path, "b")
        assert len(await held(store)) == 10 * (turn + 1)
        await store.close()
        assert names(tmp_path) == ["b"]


async def test_a_dropped_bank_leaves_nothing_whenever_it_is_dropped(tmp_path: Path) -> None:
    improver = Improver()
    store = EdgeStore(tmp_path, optimize_after=10, improve=improver)
    for bank in ("a", "b"):
        await store.create(bank, SHAPE)
        await store.write(bank, chunks(0, 10))
    await asyncio.wait_for(improver.begun.wait(), 60)
    # one is being improved, the other waits for that
    await store.drop("b")
    await store.drop("a")
    assert names(tmp_path) == []
    await store.close()


async def test_readers_and_writers_notice_nothing_of_improvements(tmp_path: Path) -> None:
    takeovers = 0

    async def untouched(folder: Path) -> bool:
        nonlocal takeovers
        takeovers += 1
        return True

    for number, uses in enumerate(USES):
        store = EdgeStore(tmp_path / f"{number}", max_open=2, optimize_after=1, improve=untouched)
        async with serving(store, f"sqlite:///{tmp_path}/{number}.db") as served:
            await uses(served)
    assert takeovers >= 3


async def test_what_an_improvement_left_that_came_to_no_end_is_cleared_away(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    await store.create("b", SHAPE)
    await store.write("b", chunks(0, 3))
    await store.close()
    improvement.copy(tmp_path / "b", tmp_path / "b.2")
    again = EdgeStore(tmp_path)
    assert await held(again) == {"r0", "r1", "r2"}
    assert names(tmp_path) == ["b"]
    await again.close()


def test_a_copy_is_the_same_file_by_file_and_keeps_the_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "holes").open("wb") as file:
        file.write(b"begin")
        file.seek(32 * 1024 * 1024)
        file.write(b"middle" * 500_000)
        file.truncate(64 * 1024 * 1024)
    (source / "empty").touch()
    (source / "whole").write_bytes(b"x" * 10_000)
    improvement.copy(source, tmp_path / "target")
    for name in ("holes", "empty", "whole"):
        copied = tmp_path / "target" / name
        assert copied.read_bytes() == (source / name).read_bytes()
        assert copied.stat().st_blocks <= (source / name).stat().st_blocks


async def test_a_process_without_its_parent_improves_nothing(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.memory.improvement", str(tmp_path), "1", env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert await asyncio.wait_for(process.wait(), 60) == 1


async def test_a_shard_that_cannot_be_opened_is_not_improved(tmp_path: Path) -> None:
    with pytest.raises(improvement.ImprovementFailed, match="the process ended with status 1"):
        await improvement.improve(tmp_path / "none")
