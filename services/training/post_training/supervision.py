"""Sees a job through: hands it to the cluster, follows it, begins it anew when the cluster lost it, ends it once.

How an attempt ended is read from the job's folder, so that it is known whatever has died meanwhile. A cancelled job is
stopped; one whose service stops goes on if its cluster does, and is found again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, TypeVar

from mesh.errors import BackendUnavailable, Internal, InvalidField, MeshError, ResourceBusy
from mesh.jobs.job import Job
from mesh.jobs.store import JobStore
from mesh.jobs.worker import Run
from services.training.cluster.cluster import Cluster, Phase
from services.training.post_training import progress
from services.training.post_training.holdings import Holdings
from services.training.post_training.places import Places
from services.training.post_training.progress import Progress
from services.training.post_training.reporting import Reporter
from services.training.recipe.folder import JobFolder, Outcome

log = logging.getLogger(__name__)
T = TypeVar("T")

_UNREACHABLE_S: Final = 600.0
_LOOKS: Final = 3


def submission(job: Job, number: int) -> str:
    """Return the cluster's id of an attempt."""
    whose = sha256(f"{job.identity.tenant}\0{job.uuid}".encode()).hexdigest()[:24]
    return f"altiplano-{whose}-{number}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What jobs need on their way: the queue, where they run, their folders, who is told what they do, their rows."""

    store: JobStore
    cluster: Cluster
    places: Places
    reporter: Reporter
    holdings: Holdings


class Supervision:
    """Handles jobs of the queue.

    Args:
        parts: what it works with.
        losses: how often a job is begun anew after the cluster lost it.
        sleep: replaced in tests.
    """

    def __init__(self, parts: Parts, losses: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._store = parts.store
        self._cluster = parts.cluster
        self._places = parts.places
        self._reporter = parts.reporter
        self._holdings = parts.holdings
        self._losses = losses
        self._sleep = sleep

    async def handle(self, run: Run) -> bytes:
        """Run a job to its end; its rows are let go of then.

        Raises:
            MeshError: why it failed.
        """
        try:
            result = await self._see_through(run)
        except asyncio.CancelledError:
            await self._let_go(run)
            raise
        except MeshError:
            if await self._owns(run.job):
                await self._quietly_stop(run.job)
                await self._reporter.end(run.job, progress.read(run.job.progress), "failed")
                await self._release(run.job)
            raise
        await self._release(run.job)
        return result

    async def stop(self, job: Job) -> None:
        """Stop what a job has running in the cluster, at the latest with its next step."""
        self._places.of(job).stop()
        state = progress.read(job.progress)
        if state.number:
            await self._cluster.stop(submission(job, state.number))

    async def _see_through(self, run: Run) -> bytes:
        folder = self._places.of(run.job)
        state = await self._reporter.begin(run.job, progress.read(run.job.progress))
        while True:
            if state.losses > self._losses:
                raise BackendUnavailable(f"the cluster lost the job {state.losses} times")
            if not state.open:
                state = await self._begin(run, folder, state)
            outcome, state = await self._follow(run, folder, state)
            if outcome is not None:
                break
            state = replace(state, open=False, losses=state.losses + 1, checkpoint=None)
            await self._save(run, state)
            folder.log("WARNING", "the cluster lost the job")
        # the attempt stays open: whoever takes the job over before its end is written finds this outcome again
        await self._save(run, state)
        if outcome.state != "completed":
            raise _error(outcome)
        await self._reporter.end(run.job, state, "completed")
        return b""

    async def _begin(self, run: Run, folder: JobFolder, state: Progress) -> Progress:
        """Hand the next attempt to the cluster."""
        await self._patiently(lambda: self._holdings.take(run.job))
        known = await asyncio.to_thread(folder.checkpoints)
        start = state.checkpoint or (known[-1].name if known else None)
        state = replace(state, number=state.number + 1, open=True, checkpoint=None)
        await self._save(run, state)
        # from here on, whatever is left of an attempt before this one stops by itself
        folder.fence(state.number)
        module = "services.training.recipe.driver"
        command = [sys.executable, "-m", module, str(folder.path), str(state.number), *([start] if start else [])]
        await self._patiently(lambda: self._cluster.submit(submission(run.job, state.number), command))
        return state

    async def _follow(self, run: Run, folder: JobFolder, state: Progress) -> tuple[Outcome | None, Progress]:
        """Watch an attempt until it ends; None for one that ended without a word."""
        looks, mine = 0, submission(run.job, state.number)
        while True:
            reported = await self._reporter.tell(run.job, folder, state)
            if reported != state:
                state = reported
                await self._save(run, state)
            outcome = await asyncio.to_thread(folder.outcome, state.number)
            if outcome is not None:
                return outcome, await self._reporter.tell(run.job, folder, state)
            looks += 1
            if looks % _LOOKS == 0:
                seen = await self._patiently(lambda: self._cluster.look(mine))
                if seen.phase in (Phase.ENDED, Phase.MISSING):
                    return await self._ended(run, folder, state, seen.message), state
            await self._sleep(1.0)

    async def _ended(self, run: Run, folder: JobFolder, state: Progress, message: str) -> Outcome | None:
        """Return how an attempt ended that the cluster says is over."""
        now = await self._patiently(lambda: self._store.get(run.job.identity.tenant, run.job.uuid))
        if now.cancel_requested:
            # the queue's worker ends this handler in a moment
            await asyncio.Event().wait()
        if message:
            log.warning("job %s: %s", run.job.uuid, message.splitlines()[0])
        return await asyncio.to_thread(folder.outcome, state.number)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the cluster or the database, again and again while it can't be reached."""
        waited = 0.0
        while True:
            try:
                return await ask()
            except (BackendUnavailable, ResourceBusy):
                if waited >= _UNREACHABLE_S:
                    raise
                await self._sleep(2.0)
                waited += 2.0

    async def _save(self, run: Run, state: Progress) -> None:
        """Save what a later owner needs; a training is not to fail because the database is away for a while."""
        await self._patiently(lambda: run.save(state.write()))

    async def _owns(self, job: Job) -> bool:
        """Return whether a job was given to nobody else meanwhile, who would need its rows and what runs of it."""
        try:
            now = await self._store.get(job.identity.tenant, job.uuid)
        except MeshError as error:
            log.warning("what is left of job %s is swept up later: %s", job.uuid, error.message)
            return False
        return (now.owner, now.attempt) == (job.owner, job.attempt)

    async def _release(self, job: Job) -> None:
        """Let go of a job's rows; what can't be let go of now is swept up later."""
        try:
            await self._holdings.release(job)
        except MeshError as error:
            log.warning("the rows of job %s can't be let go of now: %s", job.uuid, error.message)

    async def _let_go(self, run: Run) -> None:
        """Stop the job if somebody cancelled it."""
        try:
            now = await self._store.get(run.job.identity.tenant, run.job.uuid)
            if now.cancel_requested:
                self._places.of(now).log("INFO", "cancelled")
                await self._quietly_stop(now)
                await self._reporter.end(now, progress.read(now.progress), "cancelled")
                await self._release(now)
        except MeshError as error:
            log.warning("job %s can't be let go of now: %s", run.job.uuid, error.message)

    async def _quietly_stop(self, job: Job) -> None:
        """Stop a job; where its cluster can't be reached, it ends by itself with its next step."""
        try:
            await self.stop(job)
        except MeshError as error:
            log.warning("job %s may go on for a step: %s", job.uuid, error.message)


def _error(outcome: Outcome) -> MeshError:
    if outcome.reason == "INVALID_FIELD":
        return InvalidField(outcome.field, outcome.message)
    if outcome.reason == "BACKEND_UNAVAILABLE":
        return BackendUnavailable(outcome.message)
    return Internal(outcome.message)
