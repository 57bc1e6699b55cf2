"""How a training job is seen through when the database or the cluster is away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mesh.errors import BackendUnavailable
from mesh.jobs.job import Job, State
from mesh.jobs.store import JobStore, Lease
from mesh.jobs.worker import Worker, WorkerConfig
from services.training.cluster.cluster import Capacity, Phase, Seen
from services.training.post_training.progress import Progress
from services.training.post_training.supervision import Parts, Supervision
from services.training.recipe.folder import JobFolder, Outcome
from tests.integration.training.serving import TEXT, Served, described, until
from tests.integration.training.test_holdings import ONE, Desk


class Shaky(JobStore):
    """A queue whose database is away at every other look of the one who owns a job."""

    failures = 0

    async def save(self, job: Job, progress: bytes) -> Job:
        """Save, or fail if the last save did not."""
        self.failures += 1
        if self.failures % 2:
            raise BackendUnavailable("the database can't be reached")
        return await super().save(job, progress)


@dataclass
class Machine:
    """A cluster that completes what it is given, if it is not ``slow``.

    It can be away for those who look, and for those who want something stopped.
    """

    slow: bool = False
    look_fails: bool = False
    stop_fails: bool = False
    given: list[str] = field(default_factory=list)

    async def submit(self, submission: str, command: Sequence[str]) -> None:
        """Do what is asked at once."""
        self.given.append(submission)
        if not self.slow:
            JobFolder(Path(command[3]), int(command[4])).end(Outcome("completed"))

    async def look(self, submission: str) -> Seen:
        """Tell that it runs."""
        if self.look_fails:
            raise BackendUnavailable("the Ray cluster can't be reached")
        return Seen(Phase.RUNNING)

    async def stop(self, submission: str) -> None:
        """Stop nothing."""
        if self.stop_fails:
            raise BackendUnavailable("the Ray cluster can't be reached")

    async def capacity(self) -> Capacity:
        """Tell nothing."""
        return Capacity(None, None)

    async def close(self) -> None:
        """Let go of nothing."""


@dataclass
class Told:
    """Hears how jobs end; each look has something new to save."""

    ends: list[tuple[str, str]] = field(default_factory=list)

    async def begin(self, job: Job, state: Progress) -> Progress:
        """Begin nothing."""
        return state

    async def tell(self, job: Job, folder: JobFolder, state: Progress) -> Progress:
        """Count a report."""
        return replace(state, reported=state.reported + 1)

    async def end(self, job: Job, state: Progress, status: str) -> None:
        """Hear how a job ended."""
        self.ends.append((job.uuid, status))


async def soon(seconds: float) -> None:
    """Wait for no time."""
    await asyncio.sleep(0)


def worker(desk: Desk, machine: Machine, told: Told, renew_s: float = 0.01) -> Worker:
    """Return who runs the desk's jobs, one at a time."""
    parts = Parts(desk.store, machine, desk.places, told, desk.holdings)
    handlers = {"post_training.sft": Supervision(parts, losses=0, sleep=soon).handle}
    return Worker(desk.store, handlers, WorkerConfig("me", renew_s=renew_s))


async def begun(machine: Machine) -> None:
    """Wait until a cluster was given something."""

    async def given() -> bool:
        return bool(machine.given)

    await until(given)


async def test_a_training_does_not_fail_because_the_database_is_away_for_a_while(served: Served) -> None:
    desk, machine, told = Desk(served), Machine(), Told()
    desk.store = Shaky(served.app._storage, "post_training")
    await desk.job("j", described(ONE, {"q": TEXT}))
    assert await worker(desk, machine, told).run_one()
    job = await desk.store.get("acme", "j")
    assert (job.state, job.error_message) == (State.COMPLETED, "")
    assert (told.ends, len(machine.given)) == ([("j", "completed")], 1)
    assert await desk.held() == []


async def test_a_job_is_cancelled_and_let_go_of_while_its_cluster_can_not_be_reached(served: Served) -> None:
    desk, machine, told = Desk(served), Machine(slow=True, stop_fails=True), Told()
    job = await desk.job("j", described(ONE, {"q": TEXT}))
    running = asyncio.ensure_future(worker(desk, machine, told).run_one())
    await begun(machine)
    await desk.store.cancel("acme", "j")
    assert await running
    assert (await desk.store.get("acme", "j")).state is State.CANCELLED
    assert told.ends == [("j", "cancelled")]
    assert await desk.held() == []
    # what runs of it writes no more
    assert (desk.places.of(job).path / "fence").read_text() == "-1"


async def test_what_may_run_of_a_job_that_failed_writes_no_more(served: Served) -> None:
    desk, told = Desk(served), Told()
    job = await desk.job("j", described(ONE, {"q": TEXT}))
    assert await worker(desk, Machine(slow=True, look_fails=True), told, renew_s=60.0).run_one()
    failed = await desk.store.get("acme", "j")
    assert (failed.state, failed.error_message) == (State.FAILED, "the Ray cluster can't be reached")
    assert told.ends == [("j", "failed")]
    assert (desk.places.of(job).path / "fence").read_text() == "-1"
    assert await desk.held() == []


async def test_a_job_that_was_given_to_another_replica_keeps_its_rows_and_what_runs_of_it(served: Served) -> None:
    desk, machine, told = Desk(served), Machine(slow=True), Told()
    # whoever owns a job is taken for dead at once
    desk.store = JobStore(served.app._storage, "post_training", Lease(0.0, 10))
    job = await desk.job("j", described(ONE, {"q": TEXT}))
    running = asyncio.ensure_future(worker(desk, machine, told, renew_s=60.0).run_one())
    await begun(machine)

    async def taken() -> bool:
        return await desk.store.claim("other", ["post_training.sft"]) is not None

    await until(taken)
    assert await running
    now = await desk.store.get("acme", "j")
    assert (now.state, now.owner) == (State.RUNNING, "other")
    assert (desk.places.of(job).path / "fence").read_text() == "1"
    assert (await desk.held(), told.ends) == (["j"], [])
