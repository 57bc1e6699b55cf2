"""Generation as a job: chunk by chunk, each kept as it comes, so that a job which goes on generates nothing twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeVar

from llamastack.common.v1.job_pb2 import JobProgress
from llamastack.datasets.v1 import dataset_pb2
from llamastack.synthetic_data_generation.v1 import job_pb2 as pb
from mesh.errors import BackendUnavailable, InvalidField, MeshError, Overloaded, ResourceBusy, WrongState
from mesh.jobs.worker import Run
from mesh.json_text import value_of
from services.training.datasets import messages
from services.training.datasets.intake import Arrival
from services.training.datasets.library import Library, Origin
from services.training.revisions import LocalRevision
from services.training.synthetic.answers import Answer, Outcome
from services.training.synthetic.generation import Generation, Plan
from services.training.synthetic.journal import Journal, Which
from services.training.synthetic.output import columns_of, lines_of, rows_of
from services.training.synthetic.prompts import Prompt, column_of, prompt_of
from services.training.synthetic.reporting import Runs
from services.training.synthetic.tally import Tally

KIND: Final = "synthetic_data"
_CHUNK_SAMPLES: Final = 256
_KEEP_AT_ONCE: Final = 16
_RETRIES: Final = 8
_RETRYABLE: Final = (BackendUnavailable, Overloaded, ResourceBusy)
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Course:
    """A job on its way: what it does, with what, and how far it is; it took ``seconds`` before this process."""

    run: Run
    which: Which
    request: pb.CreateSyntheticDataJobRequest
    plan: Plan
    total: int
    tally: Tally
    seconds: float
    since: float
    run_id: str | None = None
    rows: int = 0

    def elapsed(self, now: float) -> float:
        return self.seconds + now - self.since


def holder_of(request: pb.CreateSyntheticDataJobRequest) -> str:
    """Return the name under which a job holds its dataset; another request has another one."""
    digest = sha256(request.SerializeToString(deterministic=True)).hexdigest()[:16]
    return f"synthetic/{request.job_uuid}/{digest}"


def plan_of(generation: Generation, request: pb.CreateSyntheticDataJobRequest) -> Plan:
    """Return what a request asks for.

    Raises:
        WrongState: the filtering function looks at scores, and nothing scores.
    """
    return generation.plan(request.model, request.filtering_function, request.settings)


class Handler:
    """Runs generation jobs. ``clock`` gives Unix seconds."""

    def __init__(
        self,
        library: Library,
        generation: Generation,
        journal: Journal,
        runs: Runs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep the parts."""
        self._library = library
        self._runs = runs
        self._generation = generation
        self._journal = journal
        self._clock = clock

    async def __call__(self, run: Run) -> bytes:
        """Run a job to its end and return the job's message with its results.

        Raises:
            MeshError: what made it fail.
        """
        request = pb.CreateSyntheticDataJobRequest.FromString(run.job.body)
        which = Which(run.job.identity.tenant, run.job.uuid)
        await self._journal.begin(which, holder_of(request))
        await self._journal.log(which, "INFO", f"attempt {run.job.attempt} begins")
        try:
            result = await self._work(run, which, request)
        except MeshError as error:
            if not isinstance(error, WrongState) or error.metadata.get("state") is None:
                await self._journal.log(which, "ERROR", error.message)
            raise
        await self._journal.log(which, "INFO", f"wrote revision {result.output.revision}")
        return result.SerializeToString()

    async def _work(self, run: Run, which: Which, request: pb.CreateSyntheticDataJobRequest) -> pb.SyntheticDataJob:
        revision = await self._library.hold(which.tenant, holder_of(request), request.dataset)
        total = min(revision.num_rows, request.max_prompts or revision.num_rows)
        course = _Course(
            run,
            which,
            request,
            plan_of(self._generation, request),
            total,
            Tally(),
            _seconds(run.job.progress),
            self._clock(),
        )
        await self._recall(course)
        course.run_id = await self._reported(course)
        if course.tally.num_dialogs:
            await self._journal.log(which, "INFO", f"goes on after {course.tally.num_dialogs} of {total} prompts")
        size = max(1, _CHUNK_SAMPLES // course.plan.sampling.num_samples)
        rows = _rows(revision, course.tally.num_dialogs, total)
        column = column_of(revision.columns)
        while several := await asyncio.to_thread(lambda: list(islice(rows, size))):
            await self._chunk(course, _prompts(several, column, course.tally.num_dialogs))
        return await self._write(course)

    async def _reported(self, course: _Course) -> str | None:
        """Return the run that the job reports to; the one that it had, if it has been at work before."""
        known = pb.SyntheticDataJob.FromString(course.run.job.progress)
        if known.HasField("run_id"):
            return known.run_id
        settings = {"job_uuid": course.which.uuid, "model": course.plan.sampling.model}
        run_id = await self._runs.begin(settings | {"output_dataset_uuid": course.request.output_dataset_uuid})
        course.run_id = run_id
        await course.run.save(self._message(course).SerializeToString())
        return run_id

    async def _recall(self, course: _Course) -> None:
        """Count what earlier owners of the job have made."""
        async with aclosing(self._journal.outcomes(course.which)) as outcomes:
            async for several in outcomes:
                self._count(course, several)

    async def _chunk(self, course: _Course, prompts: dict[int, Prompt]) -> None:
        """Answer some prompts and keep what becomes of them."""
        first, last = min(prompts), max(prompts)
        await self._patiently(course, lambda: self._sample(course, prompts))
        answers = await self._journal.answers(course.which, first, last)
        outcomes = await self._patiently(course, lambda: self._generation.judge(prompts, answers, course.plan))
        await self._journal.add_outcomes(course.which, first, outcomes)
        self._count(course, outcomes)
        message = self._message(course)
        await course.run.save(message.SerializeToString())
        done = course.tally.num_dialogs
        if course.run_id is not None:
            await self._runs.measured(course.run_id, done, message.statistics)
        await self._journal.log(course.which, "INFO", f"{done} of {course.total} prompts are done")

    async def _sample(self, course: _Course, prompts: dict[int, Prompt]) -> None:
        """Sample what is not there yet and keep it while it comes."""
        known = await self._journal.answers(course.which, min(prompts), max(prompts))
        have = frozenset((answer.prompt, answer.sample) for answer in known)
        waiting: list[Answer] = []
        try:
            async with aclosing(self._generation.sampler.sample(prompts, course.plan.sampling, have)) as answers:
                async for answer in answers:
                    waiting.append(answer)
                    if len(waiting) >= _KEEP_AT_ONCE:
                        await self._journal.add_answers(course.which, waiting)
                        waiting = []
        finally:
            await self._journal.add_answers(course.which, waiting)

    async def _write(self, course: _Course) -> pb.SyntheticDataJob:
        """Write the dataset.

        Raises:
            WrongState: there is no row.
        """
        layout = course.request.output_layout
        if not course.rows:
            raise WrongState("no answer stayed, so that there is no row to write")
        outcomes = self._journal.outcomes(course.which)
        arrival = Arrival(lines_of(outcomes, layout), "jsonl", columns_of(layout), "output")
        uuid = course.request.output_dataset_uuid
        # the same rows again make no further revision, should this be the second time
        origin = Origin(dataset_pb2.DATASET_ORIGIN_JOB, metadata=messages.metadata_only(_lineage(course)))
        written = await self._library.write(course.which.tenant, uuid, arrival, origin)
        result = self._message(course)
        result.output.CopyFrom(messages.revision(written))
        return result

    async def _patiently(self, course: _Course, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return what the work gives, tried again while a service is away or has too much to do.

        Raises:
            MeshError: it failed for another reason, or too often.
        """
        for attempt in range(_RETRIES):
            try:
                return await work()
            except _RETRYABLE as error:
                wait = max(error.retry_after_s or 1.0, min(2.0**attempt, 60.0))
                await self._journal.log(course.which, "WARNING", f"{error.message}; again in {wait:g} s")
                await asyncio.sleep(wait)
        return await work()

    def _count(self, course: _Course, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            course.tally.add(outcome)
            course.rows += sum(1 for _ in rows_of(outcome, course.request.output_layout))

    def _message(self, course: _Course) -> pb.SyntheticDataJob:
        """Return the job's message as far as the job itself knows it."""
        now = self._clock()
        done, elapsed = course.tally.num_dialogs, course.elapsed(now)
        progress = JobProgress(done=done, total=course.total)
        if 0 < done < course.total:
            progress.eta_seconds = round(elapsed / done * (course.total - done), 3)
        statistics = course.tally.statistics(elapsed)
        return pb.SyntheticDataJob(prompts=progress, statistics=statistics, run_id=course.run_id)


def _seconds(progress: bytes) -> float:
    """Return how long a job took before."""
    if not progress:
        return 0.0
    return pb.SyntheticDataJob.FromString(progress).statistics["seconds"].number_value


def _rows(revision: LocalRevision, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a revision from one position up to another one. Blocks."""
    position = 0
    for shard in revision.shards:
        if position + shard.num_rows <= first:
            position += shard.num_rows
            continue
        with shard.path.open("rb") as file:
            for line in file:
                if position >= last:
                    return
                if position >= first:
                    yield json.loads(line)
                position += 1


def _prompts(rows: list[dict[str, Any]], column: str, first: int) -> dict[int, Prompt]:
    prompts = {}
    for position, row in enumerate(rows, start=first):
        try:
            prompts[position] = prompt_of(row, column)
        except ValueError as error:
            raise InvalidField(f"rows[{position}].{column}", str(error)) from error
    return prompts


def _lineage(course: _Course) -> dict[str, Any]:
    """Return what the written dataset says about where it comes from."""
    values = {"job_uuid": course.which.uuid, "model": course.plan.sampling.model}
    return {name: value_of(value) for name, value in values.items()}
