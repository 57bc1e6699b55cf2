"""Turns whose owner is late with its signs of life: a process that stood still or a database that was busy for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.agents.v1.turn_pb2 import AgenticSystemTurnCreateRequest
from llamastack.common.v1.message_pb2 import CompletionMessage
from mesh.identity import Identity
from mesh.migrations import migrate
from mesh.storage import Storage, StorageConfig
from services.agents.commits import Commits
from services.agents.config import TurnConfig
from services.agents.feed import Feeds
from services.agents.journal import Journal, Past
from services.agents.runs import Pace, Runs
from services.agents.sessions import Sessions
from services.agents.staging import Caller
from services.agents.systems import Systems
from services.agents.tables import MIGRATIONS
from services.agents.turn import COMPLETED, RUNNING, StoredTurn
from services.agents.turns import Turns
from tests.integration.agents.scripted import SEARCH, asks, call, says
from tests.integration.agents.serving import Played, ended, serving, shape, tools, until

LEASE_S = 600.0
ANN = Identity("user:ann", "acme", frozenset({"agents:use"}))
FIRST = Chunk(sequence=1)


class Clock:
    """Unix time that goes on by ``pace`` seconds whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pace = 0.0

    def __call__(self) -> float:
        self.now += self.pace
        return self.now


class Playing:
    """A player that keeps the attempt that each turn is played for."""

    def __init__(self) -> None:
        self.attempts: list[int] = []

    def now(self) -> float:
        return 0.0

    async def play(self, turn: StoredTurn, journal: Journal, caller: Caller) -> CompletionMessage:
        self.attempts.append(turn.attempt)
        return CompletionMessage()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/agents.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def storage(database_url: str) -> AsyncIterator[Storage]:
    """Return a storage on an empty database of either kind."""
    made = Storage(StorageConfig(url=database_url))
    await migrate(made, [MIGRATIONS])
    yield made
    await made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def wanted(storage: Storage) -> StoredTurn:
    """Return a turn to be begun in a session that is there."""
    commits, time = Commits(storage), Clock()
    commits.start()
    system = await Systems(storage, commits, time).create("acme", AgenticSystemInstanceConfig())
    session_id = await Sessions(storage, commits, time).create("acme", system.system_id, "talk")
    await commits.stop()
    return StoredTurn(
        uid="its-uid",
        tenant="acme",
        turn_id="mine",
        system_id=system.system_id,
        session_id=session_id,
        status=RUNNING,
        request=AgenticSystemTurnCreateRequest(),
        digest="",
        config=AgenticSystemInstanceConfig(),
        identity=ANN,
        started_at=1000.0,
        owner="me",
        attempt=1,
    )


async def test_a_turn_is_not_taken_from_the_process_that_runs_it_though_its_lease_is_over(
    database_url: str, clock: Clock
) -> None:
    around = Played(turns=TurnConfig(lease_s=LEASE_S, poll_s=0.02), clock=clock)
    around.tools.add(SEARCH, requires_approval=True)
    gate, began = asyncio.Event(), asyncio.Event()
    around.model.answers = [
        asks(call(SEARCH)),
        says("once", wait=gate, began=began),
        says("allowed"),
        says("again"),
    ]
    async with serving(around, database_url) as served, asyncio.timeout(30):
        other = await served.session(available_tools=tools(SEARCH))
        last = await other.stub.CreateTurn(other.request("search", turn_id="other"))
        talk = await served.another(other.system_id)
        running = asyncio.ensure_future(talk.turn("hi"))
        await began.wait()
        clock.now += 2 * LEASE_S
        # has the process look for turns that nobody runs
        await other.decide("other", "one", approve=True)
        assert ended(await other.resumed("other", last.sequence)).output_message.content.text == "allowed"
        gate.set()
        assert shape(await running) == [
            "turn_start",
            "start inference",
            "+once",
            "complete inference",
            "turn_complete",
        ]
    assert len(around.model.requests) == 3


async def test_a_turn_is_not_taken_from_the_process_that_is_just_beginning_it(
    storage: Storage, clock: Clock, wanted: StoredTurn
) -> None:
    commits, playing = Commits(storage), Playing()
    turns = Turns(storage, commits, LEASE_S, clock)
    runs = Runs(turns, commits, playing, Feeds(), Pace("me", alone=True))

    async def begin() -> None:
        with runs.beginning(wanted.uid):
            runs.start(await turns.begin(wanted, FIRST), Past([FIRST]))

    async def write() -> None:
        # by now the turn is to be stored, and those that nobody runs are to be taken over right after
        clock.pace = 2 * LEASE_S
        commits.start()

    async with asyncio.timeout(30):
        await asyncio.gather(begin(), runs.begin(), write())
        await until(lambda: runs.count == 0)
    await runs.stop()
    await commits.stop()
    now = await turns.current(wanted.uid)
    assert now is not None
    assert (playing.attempts, now.status, now.attempt) == ([1], COMPLETED, 1)


async def test_a_turn_that_its_owner_does_not_run_any_more_is_taken_by_the_same_owner(
    storage: Storage, clock: Clock, wanted: StoredTurn
) -> None:
    commits = Commits(storage)
    commits.start()
    turns = Turns(storage, commits, LEASE_S, clock)
    await turns.begin(wanted, FIRST)
    assert await turns.claim("me", {"another"}, alone=True) == []
    clock.now += LEASE_S + 1
    assert await turns.claim("me", {wanted.uid}, alone=True) == []
    (taken,) = await turns.claim("me", {"another"}, alone=True)
    assert (taken.uid, taken.owner, taken.attempt) == (wanted.uid, "me", 2)
    await commits.stop()


async def test_a_lease_counts_from_when_it_is_written_however_long_the_database_was_busy(
    storage: Storage, clock: Clock, wanted: StoredTurn
) -> None:
    commits = Commits(storage)
    turns = Turns(storage, commits, LEASE_S, clock)

    async def write() -> None:
        clock.now += LEASE_S + 1
        commits.start()

    await asyncio.gather(turns.begin(wanted, FIRST), write())
    assert await turns.claim("other", (), alone=False) == []
    await commits.stop()
    clock.now += LEASE_S + 1

    taken, _ = await asyncio.gather(turns.claim("other", (), alone=False), write())
    assert [turn.uid for turn in taken] == [wanted.uid]
    assert await turns.claim("third", (), alone=False) == []
    await commits.stop()
