"""Evaluation jobs as their callers see them: submitted, listed, looked at, cancelled, compared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from llamastack.common.v1.job_pb2 import JobProgress
from llamastack.evaluations.v1 import comparison_pb2
from llamastack.evaluations.v1 import job_pb2 as pb
from mesh.errors import InvalidField, WrongState
from mesh.identity import Identity
from mesh.jobs import job as jobs_job
from mesh.jobs.job import Job, State
from mesh.jobs.store import JobStore
from services.eval.evaluations import kinds, messages
from services.eval.evaluations.comparison import compare
from services.eval.evaluations.estimates import Resampling, estimates
from services.eval.evaluations.joblog import JobLogs, Lines
from services.eval.evaluations.kinds import HARNESS, Request
from services.eval.evaluations.plan import Plan, read_plan
from services.eval.evaluations.reporting import Reporter
from services.eval.evaluations.results import Owner, Results
from services.eval.evaluations.tasks.making import check_columns

_PAGE: Final = 200
_LIVE_RESAMPLES: Final = 200
_CANCEL_S: Final = 15.0
_POLL_S: Final = 0.1


class Evaluations:
    """The jobs of all tenants.

    Args:
        store: the queue.
        results: the scored samples.
        logs: the jobs' logs.
        reporter: the record of experiments.
        wake: called after a job was stored.
    """

    def __init__(
        self, store: JobStore, results: Results, logs: JobLogs, reporter: Reporter, wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._results = results
        self._logs = logs
        self._reporter = reporter
        self._wake = wake

    async def submit(self, identity: Identity, request: Request) -> Job:
        """Store a job; the same request again is the same job.

        Raises:
            ResourceExists: another request has that uuid.
            InvalidField: the request can't be carried out.
        """
        kind = kinds.kind_of(request)
        found = kinds.facts(kind, request)
        if found.dataset is not None and found.dataset.columns:
            check_columns(kind, list(found.dataset.columns))
        if "\0" in request.job_uuid:
            raise InvalidField("job_uuid", "an id without NUL is needed")
        body = request.SerializeToString(deterministic=True)
        made = await self._store.submit(jobs_job.Request(kind, body, identity, request.job_uuid))
        self._wake()
        return made

    async def page(
        self, tenant: str, request: pb.ListEvaluationJobsRequest, after: tuple[float, str] | None, size: int
    ) -> Sequence[Job]:
        """Return up to ``size`` jobs that fit the request, newest first, after one."""
        wanted = [kinds.name(request.kind)] if request.kind else list(kinds.REQUESTS)
        found: list[Job] = []
        while len(found) < size:
            some = await self._store.jobs(tenant, wanted, size=_PAGE, after=after)
            found += [known for known in some if _fits(known, request)]
            if len(some) < _PAGE:
                break
            after = (some[-1].created_at, some[-1].uuid)
        return found[:size]

    async def status(self, tenant: str, uuid: str) -> pb.EvaluationJobStatusResponse:
        """Return where a job is and what it has measured so far.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        known = await self._get(tenant, uuid)
        plan = read_plan(known.progress) or Plan()
        counts = await self._results.counts((tenant, uuid))
        answer = pb.EvaluationJobStatusResponse(
            job_uuid=uuid,
            state=messages.STATES[known.state],
            kind=kinds.number(known.kind),
            scheduled_at=messages.time(known.created_at),
            started_at=messages.time(known.started_at),
            completed_at=messages.time(known.finished_at),
            samples=_progress(known, plan, counts.done),
            num_errors=counts.failed,
            metrics=await self._metrics(known),
            run_id=plan.run or None,
        )
        if known.state is State.FAILED:
            answer.failure = known.error_message
        elif known.state is State.CANCELLED:
            answer.failure = "cancelled by request"
        return answer

    async def artifacts(self, tenant: str, uuid: str) -> pb.EvaluationJobArtifactsResponse:
        """Return what a job has left, or the metrics so far of one that is not completed.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        known = await self._get(tenant, uuid)
        if known.state is State.COMPLETED:
            return pb.EvaluationJobArtifactsResponse.FromString(known.result)
        return pb.EvaluationJobArtifactsResponse(job_uuid=uuid, metrics=await self._metrics(known))

    async def logs(self, tenant: str, request: pb.GetEvaluationJobLogsRequest) -> Lines:
        """Return the log of a job.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        await self._get(tenant, request.job_uuid)
        return await self._logs.read((tenant, request.job_uuid), request.after_sequence, request.max_lines)

    async def follow(self, tenant: str, request: pb.GetEvaluationJobLogsRequest) -> AsyncGenerator[Lines]:
        """Yield the log of a job as it grows, until the job ends.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """

        async def over() -> bool:
            return (await self._get(tenant, request.job_uuid)).state.final

        await self._get(tenant, request.job_uuid)
        owner = (tenant, request.job_uuid)
        async with aclosing(self._logs.follow(owner, request.after_sequence, over)) as lines:
            async for some in lines:
                yield some

    async def samples(
        self, tenant: str, request: pb.ListEvaluationSamplesRequest, after: int, size: int
    ) -> Sequence[pb.EvaluationSample]:
        """Return up to ``size`` samples of a job by position, after one.

        Raises:
            ResourceNotFound: the tenant has no such job.
        """
        await self._get(tenant, request.job_uuid)
        owner = (tenant, request.job_uuid)
        return await self._results.page(owner, after, size, errors_only=request.errors_only)

    async def cancel(self, tenant: str, uuid: str) -> None:
        """End a job, and return when it has ended or its worker can't be expected to notice soon.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        await self._get(tenant, uuid)
        known = await self._store.cancel(tenant, uuid)
        until = time.monotonic() + _CANCEL_S
        while not known.state.final and time.monotonic() < until:
            await asyncio.sleep(_POLL_S)
            known = await self._store.get(tenant, uuid)
        plan = read_plan(known.progress)
        if known.state is State.CANCELLED and plan is not None:
            await self._logs.write((tenant, uuid), "INFO", "cancelled by request")
            if plan.run:
                await self._reporter.close(tenant, plan.run, State.CANCELLED.value)

    async def compare(
        self, tenant: str, request: comparison_pb2.CompareEvaluationJobsRequest
    ) -> comparison_pb2.CompareEvaluationJobsResponse:
        """Compare two jobs sample by sample.

        Raises:
            ResourceNotFound: the tenant has no such job.
            WrongState: they are not completed, or not of one kind and dataset revision.
        """
        baseline = await self._get(tenant, request.baseline_job_uuid)
        candidate = await self._get(tenant, request.candidate_job_uuid)
        for known in (baseline, candidate):
            if known.state is not State.COMPLETED:
                raise WrongState(f"job {known.uuid!r} is {known.state} and not completed")
        if baseline.kind != candidate.kind or _data(baseline) != _data(candidate):
            raise WrongState("the jobs are not of one kind over one revision of a dataset")
        asked = kinds.facts(candidate.kind, kinds.read(candidate.kind, candidate.body)).resampling
        how = replace(asked, confidence=request.confidence if request.HasField("confidence") else 0.95)
        owners: tuple[Owner, Owner] = ((tenant, baseline.uuid), (tenant, candidate.uuid))
        return await compare(self._results, owners, how, request.max_samples or 20)

    async def _get(self, tenant: str, uuid: str) -> Job:
        return await self._store.get(tenant, uuid.replace("\0", "\ufffd"))

    async def _metrics(self, known: Job) -> dict[str, pb.MetricEstimate]:
        if known.state is State.COMPLETED:
            return dict(pb.EvaluationJobArtifactsResponse.FromString(known.result).metrics)
        statistics = await self._results.statistics((known.identity.tenant, known.uuid))
        asked = kinds.facts(known.kind, kinds.read(known.kind, known.body)).resampling
        how = Resampling(asked.confidence, min(asked.resamples, _LIVE_RESAMPLES), asked.seed)
        return messages.metric_messages(await asyncio.to_thread(estimates, list(statistics.values()), how))


def _fits(known: Job, request: pb.ListEvaluationJobsRequest) -> bool:
    checkpoint: Any = kinds.facts(known.kind, kinds.read(known.kind, known.body)).checkpoint
    if request.state and messages.STATES[known.state] != request.state:
        return False
    if request.HasField("checkpoint_id") and (checkpoint is None or checkpoint.checkpoint_id != request.checkpoint_id):
        return False
    return not request.HasField("model") or (checkpoint is not None and checkpoint.model == request.model)


def _progress(known: Job, plan: Plan, done: int) -> JobProgress:
    """Return how far a job is; its speed is that since it first began."""
    made = JobProgress(done=done)
    if plan.run and (plan.total or known.kind != HARNESS):
        made.total = plan.total
        if known.state is State.RUNNING and done and known.started_at is not None:
            made.eta_seconds = max(0.0, (time.time() - known.started_at) / done * (plan.total - done))
    return made


def _data(known: Job) -> tuple[str, ...]:
    """Return what tells the data of jobs apart: the rows' hash, or the task of a harness."""
    if known.kind == HARNESS:
        request: Any = kinds.read(known.kind, known.body)
        return (request.task,)
    plan = read_plan(known.progress) or Plan()
    return (plan.content_hash or f"{plan.dataset}@{plan.revision}",)
