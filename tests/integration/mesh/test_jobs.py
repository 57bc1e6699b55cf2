"""Jobs on both databases: idempotency, cancelling, races, the death of an owner. Time is a number that tests set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.errors import BackendUnavailable, ResourceExists, ResourceNotFound, WrongState
from mesh.identity import Identity, current
from mesh.jobs.job import Job, Request, State
from mesh.jobs.store import MIGRATIONS, JobStore, Lease
from mesh.jobs.worker import Handler, Run, Worker, WorkerConfig
from mesh.migrations import migrate
from mesh.storage import Storage, StorageConfig
from tests.query_plans import query_plans

ANN = Identity("user:ann", "acme", frozenset({"training:write"}))
BOB = Identity("user:bob", "other", frozenset({"training:write"}))
KINDS = ("tune",)


class Clock:
    """Unix time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pace:
    """Stands in for asyncio.sleep: sleepers wake when the test says so."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self._ticks: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await self._ticks.get()

    def tick(self) -> None:
        self._ticks.put_nowait(None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(storage: Storage, clock: Clock) -> JobStore:
    await migrate(storage, [MIGRATIONS])
    return JobStore(storage, "training", Lease(seconds=60, attempts=2), clock)


def request(uuid: str | None = "job-1", body: bytes = b"body", identity: Identity = ANN) -> Request:
    return Request(kind="tune", body=body, identity=identity, uuid=uuid)


def worker(store: JobStore, handler: Handler, pace: Pace, owner: str = "w1") -> Worker:
    return Worker(store, {"tune": handler}, WorkerConfig(owner=owner), pace.sleep)


async def test_a_submitted_job_is_scheduled_and_kept_whole(store: JobStore) -> None:
    await store.submit(request())
    assert await store.get("acme", "job-1") == Job(
        uuid="job-1", kind="tune", state=State.SCHEDULED, identity=ANN, body=b"body", created_at=1000.0
    )


async def test_the_same_request_twice_is_one_job_in_whatever_state_it_is(store: JobStore) -> None:
    await store.submit(request())
    running = await store.claim("w1", KINDS)
    assert await store.submit(request()) == running
    assert len(await store.jobs("acme", KINDS)) == 1


async def test_the_same_uuid_with_another_body_is_refused(store: JobStore) -> None:
    await store.submit(request())
    with pytest.raises(ResourceExists):
        await store.submit(request(body=b"other"))
    with pytest.raises(ResourceExists):
        await store.submit(Request("evaluate", b"body", ANN, "job-1"))


async def test_many_submissions_of_one_uuid_at_once_make_one_job(store: JobStore) -> None:
    jobs = await asyncio.gather(*(store.submit(request()) for _ in range(10)))
    assert set(jobs) == {await store.get("acme", "job-1")}


async def test_tenants_do_not_see_each_others_jobs_even_of_one_uuid(store: JobStore) -> None:
    await store.submit(request())
    await store.submit(request(body=b"bob's", identity=BOB))
    assert (await store.get("other", "job-1")).body == b"bob's"
    assert [job.identity for job in await store.jobs("acme", KINDS)] == [ANN]
    with pytest.raises(ResourceNotFound):
        await store.get("third", "job-1")
    with pytest.raises(ResourceNotFound):
        await store.cancel("third", "job-1")


async def test_a_job_without_uuid_gets_one(store: JobStore) -> None:
    first, second = await store.submit(request(uuid=None)), await store.submit(request(uuid=None))
    assert first.uuid != second.uuid


async def test_jobs_are_listed_newest_first_in_pages(store: JobStore, clock: Clock) -> None:
    for number in range(5):
        clock.now += 1
        await store.submit(request(f"job-{number}"))
    first = await store.jobs("acme", KINDS, size=2)
    rest = await store.jobs("acme", KINDS, size=10, after=(first[-1].created_at, first[-1].uuid))
    assert [job.uuid for job in first + rest] == ["job-4", "job-3", "job-2", "job-1", "job-0"]


async def test_the_oldest_job_is_taken_first(store: JobStore, clock: Clock) -> None:
    await store.submit(request("old"))
    clock.now += 1
    await store.submit(request("new"))
    taken = await store.claim("w1", KINDS)
    assert taken is not None
    assert (taken.uuid, taken.state, taken.owner, taken.attempt, taken.lease_until) == (
        "old",
        State.RUNNING,
        "w1",
        1,
        1061.0,
    )


async def test_jobs_that_are_over_are_not_read_to_find_the_next(tmp_path: Path) -> None:
    storage = Storage(StorageConfig(url=f"sqlite:///{tmp_path}/jobs.db"))
    await migrate(storage, [MIGRATIONS])
    store = JobStore(storage, "training", Lease(seconds=60, attempts=2), Clock())
    await store.submit(request())
    with query_plans("mesh_jobs") as plans:
        job = await store.claim("w1", KINDS)
    await storage.close()
    assert job is not None
    choosing = next(steps for query, steps in plans.items() if "ORDER BY" in query)
    assert choosing == ["SEARCH mesh_jobs USING INDEX mesh_jobs_by_state (queue=? AND state=?)"]


async def test_other_kinds_and_other_queues_are_left_alone(store: JobStore, storage: Storage) -> None:
    await store.submit(request())
    assert await store.claim("w1", ("evaluate",)) is None
    assert await JobStore(storage, "eval").claim("w1", KINDS) is None


async def test_workers_that_race_for_jobs_get_each_one_once(store: JobStore) -> None:
    for number in range(6):
        await store.submit(request(f"job-{number}"))
    taken = await asyncio.gather(*(store.claim(f"w{number}", KINDS) for number in range(10)))
    won = [job.uuid for job in taken if job is not None]
    rest = [job.uuid async for job in remaining(store)]
    assert sorted(won + rest) == [f"job-{number}" for number in range(6)]


async def remaining(store: JobStore) -> AsyncIterator[Job]:
    while (job := await store.claim("late", KINDS)) is not None:
        yield job


@pytest.mark.parametrize("end", ["complete", "fail", "cancelled", "give_back", "renew", "save"])
async def test_a_job_that_is_over_cannot_be_changed(store: JobStore, end: str) -> None:
    await store.submit(request())
    job = await store.claim("w1", KINDS)
    assert job is not None
    await store.complete(job, b"result")
    calls = {
        "complete": lambda: store.complete(job),
        "fail": lambda: store.fail(job, BackendUnavailable()),
        "cancelled": lambda: store.cancelled(job),
        "give_back": lambda: store.give_back(job),
        "renew": lambda: store.renew(job),
        "save": lambda: store.save(job, b""),
    }
    with pytest.raises(WrongState):
        await calls[end]()
    over = await store.get("acme", "job-1")
    assert over == replace(
        job, state=State.COMPLETED, result=b"result", owner=None, lease_until=None, finished_at=1000.0
    )


async def test_a_waiting_job_is_cancelled_at_once_and_never_taken(store: JobStore) -> None:
    await store.submit(request())
    cancelled = await store.cancel("acme", "job-1")
    assert (cancelled.state, cancelled.finished_at) == (State.CANCELLED, 1000.0)
    assert await store.cancel("acme", "job-1") == cancelled
    assert await store.claim("w1", KINDS) is None


async def test_cancelling_a_job_that_is_over_changes_nothing(store: JobStore) -> None:
    await store.submit(request())
    job = await store.claim("w1", KINDS)
    assert job is not None
    completed = await store.complete(job)
    assert await store.cancel("acme", "job-1") == completed


async def test_a_lease_that_is_renewed_keeps_others_away(store: JobStore, clock: Clock) -> None:
    await store.submit(request())
    job = await store.claim("w1", KINDS)
    assert job is not None
    clock.now += 59
    await store.renew(job)
    clock.now += 59
    assert await store.claim("w2", KINDS) is None


async def test_the_job_of_a_dead_owner_goes_on_with_another_from_what_was_saved(store: JobStore, clock: Clock) -> None:
    await store.submit(request())
    dead = await store.claim("w1", KINDS)
    assert dead is not None
    await store.save(dead, b"step 7")
    clock.now += 61
    heir = await store.claim("w2", KINDS)
    assert heir is not None
    assert (heir.owner, heir.attempt, heir.progress, heir.started_at) == ("w2", 2, b"step 7", 1000.0)
    # the dead one comes back and finds that nothing of the job is its own any more
    for late in (store.renew(dead), store.complete(dead), store.save(dead, b"step 8"), store.give_back(dead)):
        with pytest.raises(WrongState):
            await late
    assert await store.get("acme", "job-1") == heir


async def test_an_owner_that_restarts_under_its_name_does_not_mistake_the_job_for_its_former_one(
    store: JobStore, clock: Clock
) -> None:
    await store.submit(request())
    before = await store.claim("w1", KINDS)
    assert before is not None
    clock.now += 61
    await store.claim("w1", KINDS)
    with pytest.raises(WrongState):
        await store.complete(before)


async def test_a_job_that_kills_its_owners_fails_in_the_end(store: JobStore, clock: Clock) -> None:
    await store.submit(request())
    for owner in ("w1", "w2"):
        assert await store.claim(owner, KINDS) is not None
        clock.now += 61
    assert await store.claim("w3", KINDS) is None
    failed = await store.get("acme", "job-1")
    assert (failed.state, failed.error_reason) == (State.FAILED, "BACKEND_UNAVAILABLE")
    assert failed.error_message == "the process that ran the job was lost 2 times"


async def test_a_job_to_cancel_whose_owner_died_is_cancelled(store: JobStore, clock: Clock) -> None:
    await store.submit(request())
    await store.claim("w1", KINDS)
    await store.cancel("acme", "job-1")
    clock.now += 61
    assert await store.claim("w2", KINDS) is None
    assert (await store.get("acme", "job-1")).state is State.CANCELLED


async def test_a_job_given_back_goes_to_another_without_counting_the_attempt(store: JobStore) -> None:
    await store.submit(request())
    job = await store.claim("w1", KINDS)
    assert job is not None
    await store.give_back(job)
    again = await store.claim("w2", KINDS)
    assert again is not None
    assert (again.owner, again.attempt) == ("w2", 1)


async def test_a_worker_runs_a_job_as_the_one_who_asked_and_keeps_its_result(store: JobStore) -> None:
    async def handler(run: Run) -> bytes:
        return f"{run.job.body.decode()} for {current().subject}".encode()

    await store.submit(request())
    runner = worker(store, handler, Pace())
    assert await runner.run_one()
    assert not await runner.run_one()
    done = await store.get("acme", "job-1")
    assert (done.state, done.result) == (State.COMPLETED, b"body for user:ann")


async def test_an_error_of_the_mesh_fails_the_job_with_its_reason(store: JobStore) -> None:
    async def handler(run: Run) -> bytes:
        raise ResourceNotFound("dataset", "d1")

    await store.submit(request())
    await worker(store, handler, Pace()).run_one()
    failed = await store.get("acme", "job-1")
    assert (failed.state, failed.error_reason) == (State.FAILED, "RESOURCE_NOT_FOUND")
    assert failed.error_message == "dataset 'd1' does not exist"


async def test_a_defect_fails_the_job_with_an_id_that_the_log_has(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(run: Run) -> bytes:
        raise ZeroDivisionError("/secret")

    await store.submit(request())
    await worker(store, handler, Pace()).run_one()
    failed = await store.get("acme", "job-1")
    assert failed.error_reason == "INTERNAL"
    assert "secret" not in failed.error_message
    assert failed.error_message.split("id ")[1].rstrip(")") in caplog.text


async def test_a_wish_to_cancel_ends_the_handler(store: JobStore) -> None:
    ended = asyncio.Event()
    pace = Pace()

    async def handler(run: Run) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    await store.submit(request())
    run = asyncio.create_task(worker(store, handler, pace).run_one())
    await asyncio.wait_for(pace.asleep.wait(), 10)
    await store.cancel("acme", "job-1")
    pace.tick()
    await asyncio.wait_for(run, 10)
    assert ended.is_set()
    assert (await store.get("acme", "job-1")).state is State.CANCELLED


async def test_a_handler_whose_job_went_to_another_worker_is_ended(store: JobStore, clock: Clock) -> None:
    pace = Pace()

    async def handler(run: Run) -> bytes:
        await asyncio.Event().wait()
        return b""

    await store.submit(request())
    run = asyncio.create_task(worker(store, handler, pace).run_one())
    await asyncio.wait_for(pace.asleep.wait(), 10)
    clock.now += 61
    heir = await store.claim("w2", KINDS)
    pace.tick()
    await asyncio.wait_for(run, 10)
    assert await store.get("acme", "job-1") == heir


async def test_a_worker_does_not_take_from_itself_what_it_runs_though_it_is_late_with_the_lease(
    store: JobStore, clock: Clock
) -> None:
    began: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    going = asyncio.Event()

    async def handler(run: Run) -> bytes:
        began.put_nowait((run.job.identity.tenant, run.job.attempt))
        await going.wait()
        return b"done"

    await store.submit(request())
    runner = Worker(store, {"tune": handler}, WorkerConfig(owner="w1", concurrency=2), Pace().sleep)
    runner.start()
    async with asyncio.timeout(10):
        assert await began.get() == ("acme", 1)
        clock.now += 61
        # another tenant's job of the same uuid is another job
        await store.submit(request(identity=BOB))
        runner.wake()
        assert await began.get() == ("other", 1)
        going.set()
        while {(await store.get(tenant, "job-1")).state for tenant in ("acme", "other")} != {State.COMPLETED}:
            pass
    await runner.stop()
    assert ((await store.get("acme", "job-1")).attempt, began.empty()) == (1, True)


async def test_a_job_that_its_owner_does_not_run_any_more_is_taken_by_the_same_owner(
    store: JobStore, clock: Clock
) -> None:
    await store.submit(request())
    job = await store.claim("w1", KINDS)
    assert job is not None
    clock.now += 61
    assert await store.claim("w1", KINDS, [job]) is None
    again = await store.claim("w1", KINDS)
    assert again is not None
    assert (again.owner, again.attempt) == ("w1", 2)


async def test_a_worker_that_stops_gives_its_job_back_with_what_was_saved(store: JobStore) -> None:
    saved = asyncio.Event()

    async def handler(run: Run) -> bytes:
        await run.save(b"half")
        saved.set()
        await asyncio.Event().wait()
        return b""

    await store.submit(request())
    runner = worker(store, handler, Pace())
    runner.start()
    await asyncio.wait_for(saved.wait(), 10)
    await runner.stop()
    given = await store.get("acme", "job-1")
    assert (given.state, given.progress, given.owner, given.attempt) == (State.SCHEDULED, b"half", None, 0)


async def test_a_restarted_worker_picks_up_what_was_left_and_wakes_for_new_jobs(store: JobStore, clock: Clock) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()

    async def handler(run: Run) -> bytes:
        done.put_nowait(run.job.uuid)
        return b""

    await store.submit(request("left"))
    await store.claim("dead", KINDS)
    clock.now += 61
    runner = worker(store, handler, Pace())
    runner.start()
    assert await asyncio.wait_for(done.get(), 10) == "left"
    await store.submit(request("new"))
    runner.wake()
    assert await asyncio.wait_for(done.get(), 10) == "new"
    await runner.stop()


async def test_a_failed_job_is_resumed_with_what_it_saved_and_counts_its_owners_anew(
    store: JobStore, clock: Clock
) -> None:
    await store.submit(request())
    taken = await store.claim("w1", KINDS)
    assert taken is not None
    await store.save(taken, b"half")
    await store.fail(taken, BackendUnavailable("gone"))
    resumed = await store.resume("acme", "job-1")
    assert (resumed.state, resumed.progress, resumed.attempt) == (State.SCHEDULED, b"half", 0)
    assert (resumed.error_reason, resumed.error_message, resumed.finished_at) == ("", "", None)
    assert await store.resume("acme", "job-1", b"other") == resumed
    again = await store.claim("w2", KINDS)
    assert again is not None
    assert (again.attempt, again.started_at) == (1, taken.started_at)


async def test_a_cancelled_job_is_resumed_from_where_the_caller_says_and_a_completed_one_is_not(
    store: JobStore,
) -> None:
    await store.submit(request())
    await store.cancel("acme", "job-1")
    resumed = await store.resume("acme", "job-1", b"here")
    assert (resumed.state, resumed.progress, resumed.cancel_requested) == (State.SCHEDULED, b"here", False)
    taken = await store.claim("w1", KINDS)
    assert taken is not None
    await store.complete(taken)
    with pytest.raises(WrongState):
        await store.resume("acme", "job-1")
    with pytest.raises(ResourceNotFound):
        await store.resume("other", "job-1")


async def test_jobs_are_listed_by_state_and_those_that_wait_are_counted(store: JobStore) -> None:
    for number in range(3):
        await store.submit(request(f"job-{number}"))
    await store.cancel("acme", "job-0")
    waiting = await store.jobs("acme", KINDS, states=[State.SCHEDULED])
    assert {job.uuid for job in waiting} == {"job-1", "job-2"}
    assert [job.uuid for job in await store.jobs("acme", KINDS, states=[State.CANCELLED])] == ["job-0"]
    assert await store.waiting(KINDS) == 2
    assert await store.waiting(["other"]) == 0
