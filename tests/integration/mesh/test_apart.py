"""Programs apart: kept, limited, and gone with all they started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mesh.apart.program import Program, ProgramLimits
from mesh.errors import BackendUnavailable, DeadlineExceeded, WrongState

MODULE = "tests.integration.mesh.apart_program"
SECONDS = 20.0


def children(pid: int) -> set[int]:
    """Return the processes that a process started and that still are."""
    try:
        return {
            int(each)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for each in (task / "children").read_text().split()
        }
    except FileNotFoundError:
        return set()


def exists(path: str) -> bool:
    """Return whether a file or folder is there."""
    return Path(path).exists()


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - nobody tells when a process has gone
            await asyncio.sleep(0.01)


@pytest.fixture
async def nobody_left() -> AsyncIterator[None]:
    before = children(os.getpid())
    yield
    assert children(os.getpid()) - before == set()


def program(module: str = MODULE, environ: dict[str, str] | None = None, **limits: float) -> Program:
    return Program(module, "The work", ProgramLimits(**limits), environ)  # type: ignore[arg-type]  # ints where needed


@pytest.mark.usefixtures("nobody_left")
async def test_a_program_is_kept_for_the_next_request_and_told_nothing_of_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALTIPLANO_KEY", "secret")
    work = program(environ={"MODE": "test"})
    told = await work.ask({"tell": "surroundings"})
    assert set(told["environ"]) - {"LC_CTYPE"} == {"HOME", "MODE", "PATH", "PYTHONPATH", "PYTHONUTF8", "TMPDIR"}
    assert exists(told["folder"])
    assert (await work.ask({"tell": "surroundings"}))["pid"] == told["pid"]
    text = "ü" * 3_000_000
    assert (await work.ask(text))["echo"] == text
    await work.close()
    assert not exists(told["folder"])


@pytest.mark.usefixtures("nobody_left")
async def test_requests_wait_for_one_of_the_processes() -> None:
    work = program(at_once=2)
    told = await asyncio.gather(*(work.ask({"tell": "surroundings"}) for _ in range(6)))
    assert len({each["pid"] for each in told}) <= 2
    await work.close()


@pytest.mark.usefixtures("nobody_left")
async def test_a_request_that_takes_too_long_ends_the_program_and_what_it_started() -> None:
    work = program(timeout_s=1.0)
    pid = (await work.ask({"tell": "surroundings"}))["pid"]
    asked = asyncio.create_task(work.ask({"sleep": 300}))
    await eventually(lambda: bool(children(pid)))
    (sleeper,) = children(pid)
    with pytest.raises(DeadlineExceeded, match=r"The work took more than 1 s"):
        await asked
    await eventually(lambda: not exists(f"/proc/{sleeper}"))
    assert (await work.ask({"tell": "surroundings"}))["pid"] != pid
    await work.close()


@pytest.mark.usefixtures("nobody_left")
async def test_a_cancelled_request_ends_the_program() -> None:
    work = program()
    pid = (await work.ask({"tell": "surroundings"}))["pid"]
    asked = asyncio.create_task(work.ask({"sleep": 300}))
    await eventually(lambda: bool(children(pid)))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not exists(f"/proc/{pid}")


@pytest.mark.usefixtures("nobody_left")
async def test_a_program_that_dies_or_fails_is_an_error_and_the_next_request_works() -> None:
    work = program(memory_mib=512)
    with pytest.raises(BackendUnavailable, match="The work ended without an answer"):
        await work.ask({"die": 0})
    with pytest.raises(WrongState, match="The work failed"):
        await work.ask({"eat": 1024})
    assert (await work.ask({"eat": 8})) == {"eaten": 8 * 1024 * 1024}
    await work.close()


@pytest.mark.usefixtures("nobody_left")
@pytest.mark.parametrize(
    ("module", "environ", "why"),
    [(MODULE, {"REFUSE": "1"}, "refused"), ("tests.integration.mesh.nothing", {}, "No module named")],
)
async def test_a_program_that_cannot_start_says_so_and_the_log_says_why(
    module: str, environ: dict[str, str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WrongState, match="The work can't be started here"):
        await program(module, environ).ask({})
    assert why in caplog.text
