"""Runs an evaluation job to its end: what to score, scoring it, and what comes of it.

Each sample is a row that is written once. Whoever goes on with a job finds its plan in the job and its samples in the
database, and scores the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from llamastack.evaluations.v1.job_pb2 import EvaluationJobArtifactsResponse
from mesh.errors import MeshError, WrongState
from mesh.jobs.job import Job, State
from mesh.jobs.store import JobStore
from mesh.jobs.worker import Run
from services.eval.evaluations import kinds
from services.eval.evaluations.estimates import estimates
from services.eval.evaluations.exports import exports
from services.eval.evaluations.joblog import JobLogs
from services.eval.evaluations.kinds import HARNESS, Facts, Request
from services.eval.evaluations.messages import metric_messages
from services.eval.evaluations.plan import Plan, read_plan
from services.eval.evaluations.reporting import Reporter
from services.eval.evaluations.results import Owner, Results
from services.eval.evaluations.rows import Datasets
from services.eval.evaluations.sample import Outcome, Row, Task
from services.eval.evaluations.targets import Target, Targets
from services.eval.evaluations.tasks.making import Peers, check_columns, make

_LANES = 2
_REPORTS = 20


class Harness(Protocol):
    """Runs tasks that bring their own samples."""

    async def run(self, request: Request, model: str, owner: Owner) -> Sequence[Outcome]:
        """Return every sample, scored; a run that was cut off is gone on with."""
        ...

    async def forget(self, owner: Owner) -> None:
        """Remove what is kept of a job's run."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What jobs are made from and with."""

    store: JobStore
    results: Results
    logs: JobLogs
    reporter: Reporter
    datasets: Datasets
    targets: Targets
    peers: Peers
    harness: Harness


@dataclass(slots=True)
class Work:
    """A job under way."""

    run: Run
    request: Request
    facts: Facts
    plan: Plan

    @property
    def owner(self) -> Owner:
        """The tenant and the uuid of the job."""
        return self.run.job.identity.tenant, self.run.job.uuid


class Evaluator:
    """The handler of evaluation jobs."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts

    async def __call__(self, run: Run) -> bytes:
        """Score what is not scored yet, leave the files, and return an EvaluationJobArtifactsResponse.

        Raises:
            MeshError: the job can't go on.
        """
        request = kinds.read(run.job.kind, run.job.body)
        facts = kinds.facts(run.job.kind, request)
        work = Work(run, request, facts, Plan())
        end = State.FAILED
        try:
            work.plan = read_plan(run.job.progress) or await self._plan(work)
            await self._score(work)
            result = await self._conclude(work)
            end = State.COMPLETED
        except asyncio.CancelledError:
            end = State.CANCELLED if await self._cancelled(run.job) else State.SCHEDULED
            raise
        except MeshError as error:
            await self._log(work, "ERROR", error.message)
            raise
        finally:
            await self._ended(work, end)
        return result

    async def _plan(self, work: Work) -> Plan:
        """Find out what is evaluated on what, and open the run of the record."""
        facts, job = work.facts, work.run.job
        name = "/".join(work.owner)
        plan = Plan()
        if facts.dataset is not None:
            pinned = await self._parts.datasets.pin(facts.dataset, name)
            found = pinned.revision
            columns = tuple(sorted(found.columns))
            check_columns(facts.kind, columns)
            total = min(found.num_rows, facts.most) if facts.most else found.num_rows
            plan = Plan(found.dataset_uuid, found.revision, found.content_hash, columns, pinned.borrowed, total)
        if facts.checkpoint is not None:
            target = await self._parts.targets.open(facts.checkpoint, name)
            plan = replace(plan, model=target.model, served=target.temporary, adapter_of=target.adapter_of)
        experiment = facts.options.experiment_id if facts.options.HasField("experiment_id") else None
        shown = _named(facts, plan)
        opened = await self._parts.reporter.open(
            work.owner[0],
            (experiment, shown),
            {
                "job_uuid": job.uuid,
                "kind": facts.kind,
                "model": shown,
                "dataset": plan.dataset,
                "revision": plan.revision,
            },
        )
        plan = replace(plan, experiment=opened.experiment_id, run=opened.id)
        await work.run.save(plan.write())
        work.plan = plan
        await self._log(work, "INFO", f"evaluation of {shown} ({facts.kind}) on {plan.total} samples begins")
        return plan

    async def _score(self, work: Work) -> None:
        """Score every row that is not scored yet."""
        if work.facts.kind == HARNESS:
            await self._run_harness(work)
            return
        scored = await self._parts.results.scored(work.owner)
        if scored:
            await self._log(work, "INFO", f"{len(scored)} of {work.plan.total} samples are scored already")
        if len(scored) >= work.plan.total:
            return
        task = make(work.request, work.plan.model, work.plan.columns, self._parts.peers)
        lanes = min(_LANES, work.facts.concurrency)
        size = -(-work.facts.concurrency // lanes)
        async with aclosing(self._rows(work.plan, scored)) as rows:
            batches = Batches(rows, size)
            await _together([self._lane(work, task, batches, len(scored)) for _ in range(lanes)])

    async def _lane(self, work: Work, task: Task, batches: Batches, before: int) -> None:
        """Score batch after batch, and write each sample when it is there."""
        every = max(1, work.plan.total // _REPORTS)
        while batch := await batches.take():
            async with aclosing(task.score(batch)) as outcomes:
                async for outcome in outcomes:
                    await self._parts.results.add(work.owner, [outcome])
                    if outcome.error is not None:
                        await self._log(work, "WARNING", f"sample {outcome.row.index}: {outcome.error}")
                    batches.done += 1
                    if (before + batches.done) % every == 0:
                        await self._log(
                            work, "INFO", f"{before + batches.done} of {work.plan.total} samples are scored"
                        )

    async def _rows(self, plan: Plan, scored: set[int]) -> AsyncGenerator[Row]:
        """Yield the rows that are not scored yet."""
        first = next(index for index in range(plan.total) if index not in scored)
        async with aclosing(self._parts.datasets.rows(plan.dataset, plan.revision, first)) as rows:
            async for row in rows:
                if row.index >= plan.total:
                    return
                if row.index not in scored:
                    yield row

    async def _run_harness(self, work: Work) -> None:
        """Run the harness, whose samples are there all at once or not at all."""
        if work.plan.total:
            return
        outcomes = await self._parts.harness.run(work.request, work.plan.model, work.owner)
        await self._parts.results.add(work.owner, outcomes)
        work.plan = replace(work.plan, total=len(outcomes))
        await work.run.save(work.plan.write())

    async def _conclude(self, work: Work) -> bytes:
        """Return what the job amounts to, after its files and measurements were stored."""
        counts = await self._parts.results.counts(work.owner)
        if counts.done != work.plan.total:
            raise WrongState(f"the dataset has {counts.done} rows now instead of {work.plan.total}")
        statistics = await self._parts.results.statistics(work.owner)
        found = await asyncio.to_thread(estimates, list(statistics.values()), work.facts.resampling)
        tenant, plan = work.owner[0], work.plan
        files = await exports(self._parts.results, work.owner, (_named(work.facts, plan), work.facts), found)
        kept = await self._parts.reporter.keep(tenant, (plan.experiment, plan.run), files)
        await self._parts.reporter.measure(plan.run, found, counts.done)
        await self._log(work, "INFO", f"{counts.done} samples are scored, {counts.failed} of them could not be")
        answer = EvaluationJobArtifactsResponse(job_uuid=work.owner[1], metrics=metric_messages(found), files=kept)
        return answer.SerializeToString()

    async def _ended(self, work: Work, end: State) -> None:
        """Tell the record, and give back what was taken for the time of the job, unless somebody goes on with it."""
        plan = work.plan
        if end is State.SCHEDULED:
            return
        if work.facts.kind == HARNESS:
            await self._parts.harness.forget(work.owner)
        if plan.run:
            await self._parts.reporter.close(work.owner[0], plan.run, end.value)
        if plan.borrowed:
            await self._parts.datasets.drop(plan.dataset)
        await self._parts.targets.close(Target(plan.model, plan.served, plan.adapter_of))

    async def _cancelled(self, job: Job) -> bool:
        """Return whether somebody asked to cancel the job; else its process stops and another one goes on with it."""
        return (await self._parts.store.get(job.identity.tenant, job.uuid)).cancel_requested

    async def _log(self, work: Work, level: str, text: str) -> None:
        await self._parts.logs.write(work.owner, level, text)
        if work.plan.run:
            await self._parts.reporter.log(work.owner[0], work.plan.run, level, text)


class Batches:
    """Hands out rows, so many at a time, to whoever asks next; ``done`` counts what was scored of them."""

    def __init__(self, rows: AsyncGenerator[Row], size: int) -> None:
        self._rows = rows
        self._size = size
        self._turn = asyncio.Lock()
        self.done = 0

    async def take(self) -> Sequence[Row]:
        """Return the next rows, none at the end."""
        batch: list[Row] = []
        async with self._turn:
            while len(batch) < self._size and (row := await anext(self._rows, None)) is not None:
                batch.append(row)
        return batch


async def _together(lanes: Sequence[Coroutine[None, None, None]]) -> None:
    """Run coroutines at once; the first failure ends them all and is raised."""
    tasks = [asyncio.create_task(lane) for lane in lanes]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _named(facts: Facts, plan: Plan) -> str:
    """Return what is evaluated, as a person calls it."""
    checkpoint = facts.checkpoint
    if checkpoint is None:
        return facts.kind
    if checkpoint.HasField("checkpoint_id"):
        return checkpoint.checkpoint_id
    return checkpoint.model if checkpoint.HasField("model") else plan.model
