"""``llamastack.synthetic_data_generation.v1.SyntheticDataGenerationService``: messages in, messages out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

from llamastack.synthetic_data_generation.v1 import job_pb2 as jobs_pb
from llamastack.synthetic_data_generation.v1 import synthetic_data_generation_service_pb2_grpc as grpc_stubs
from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb
from mesh import identity
from mesh.errors import Overloaded, QuotaExceeded
from mesh.paging import page_size, read_token, write_token
from services.training.synthetic import messages
from services.training.synthetic.generation import Generation
from services.training.synthetic.journal import Line
from services.training.synthetic.prompts import Prompt, split
from services.training.synthetic.submission import Submission
from services.training.synthetic.tally import Tally

Context = Any
MOST_SAMPLES: Final = 4096
JOBS: Final = "ListJobs"


class SyntheticDataGenerationServicer(grpc_stubs.SyntheticDataGenerationServiceServicer):
    """Generates data for the caller's tenant. ``at_once`` calls of Generate run at a time, ``clock`` is in seconds."""

    def __init__(
        self,
        generation: Generation,
        submission: Submission,
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the parts."""
        self._generation = generation
        self._submission = submission
        self._room = at_once
        self._clock = clock

    async def Generate(
        self, request: pb.SyntheticDataGenerationRequest, context: Context
    ) -> pb.SyntheticDataGenerationResponse:
        """Answer a small batch of prompts."""
        since = self._clock()
        prompts = split(request.dialogs) + [Prompt(tuple(dialog.messages)) for dialog in request.dialog_batch]
        plan = self._generation.plan(request.model, request.filtering_function, request.settings)
        samples = len(prompts) * plan.sampling.num_samples
        if samples > MOST_SAMPLES:
            raise QuotaExceeded(
                "samples per call", f"{samples} samples are more than the {MOST_SAMPLES} of one answer; start a job"
            )
        if not self._room:
            raise Overloaded("as many generations run as the service takes")
        self._room -= 1
        try:
            outcomes = await self._generation.generate(prompts, plan)
        finally:
            self._room += 1
        tally = Tally()
        for outcome in outcomes:
            tally.add(outcome)
        return pb.SyntheticDataGenerationResponse(
            synthetic_data=[outcome.filtered() for outcome in outcomes if outcome.kept],
            statistics=tally.statistics(self._clock() - since),
        )

    async def CreateJob(
        self, request: jobs_pb.CreateSyntheticDataJobRequest, context: Context
    ) -> jobs_pb.SyntheticDataJob:
        """Start a job."""
        return messages.job(await self._submission.create(identity.current(), request))

    async def ListJobs(
        self, request: jobs_pb.ListSyntheticDataJobsRequest, context: Context
    ) -> jobs_pb.ListSyntheticDataJobsResponse:
        """List the jobs, newest first."""
        size, which = page_size(request.page_size), f"{JOBS} {request.state}"
        key = read_token(which, request.page_token)
        after = None if key is None else (float(key[0]), str(key[1]))
        found = await self._submission.listed(_tenant(), messages.state(request.state), after, size + 1)
        last = found[size - 1][0] if len(found) > size else None
        return jobs_pb.ListSyntheticDataJobsResponse(
            jobs=[messages.job(*item) for item in found[:size]],
            next_page_token="" if last is None else write_token(which, (last.created_at, last.uuid)),
        )

    async def GetJobStatus(
        self, request: jobs_pb.GetSyntheticDataJobRequest, context: Context
    ) -> jobs_pb.SyntheticDataJob:
        """Tell where a job is."""
        return messages.job(*await self._submission.get(_tenant(), request.job_uuid))

    async def GetJobLogs(
        self, request: jobs_pb.GetSyntheticDataJobLogsRequest, context: Context
    ) -> jobs_pb.SyntheticDataJobLogStream:
        """Give the log of a job so far."""
        lines = await self._submission.logs(_tenant(), request)
        return _stream(request.job_uuid, lines, request.after_sequence)

    async def FollowJobLogs(
        self, request: jobs_pb.GetSyntheticDataJobLogsRequest, context: Context
    ) -> AsyncIterator[jobs_pb.SyntheticDataJobLogStream]:
        """Send the log of a job as it grows."""
        following = self._submission.follow(_tenant(), request.job_uuid, request.after_sequence)
        async with aclosing(following) as several:
            async for lines in several:
                yield _stream(request.job_uuid, lines, request.after_sequence)

    async def CancelJob(
        self, request: jobs_pb.CancelSyntheticDataJobRequest, context: Context
    ) -> jobs_pb.CancelSyntheticDataJobResponse:
        """End a job."""
        await self._submission.cancel(identity.current(), request.job_uuid)
        return jobs_pb.CancelSyntheticDataJobResponse()


def _tenant() -> str:
    return identity.current().tenant


def _stream(job_uuid: str, lines: list[Line], after: int) -> jobs_pb.SyntheticDataJobLogStream:
    return jobs_pb.SyntheticDataJobLogStream(
        job_uuid=job_uuid,
        log_lines=[line.text for line in lines],
        last_sequence=lines[-1].sequence if lines else after,
    )
