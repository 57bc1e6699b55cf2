"""``llamastack.evaluations.v1.EvaluationsService`` over the jobs: messages in, messages out, and whose job it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from llamastack.evaluations.v1 import comparison_pb2
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2 as requests
from llamastack.evaluations.v1 import evaluations_service_pb2_grpc as grpc_stubs
from llamastack.evaluations.v1 import job_pb2 as pb
from mesh import identity
from mesh.errors import OutOfRange
from mesh.paging import Key, page_size, read_token, write_token
from services.eval.evaluations import messages
from services.eval.evaluations.joblog import Lines
from services.eval.evaluations.jobs import Evaluations
from services.eval.evaluations.kinds import Request

Context = Any
JOBS: Final = "ListJobs"
SAMPLES: Final = "ListJobSamples"


class EvaluationsServicer(grpc_stubs.EvaluationsServiceServicer):
    """Runs the evaluations of the caller's tenant."""

    def __init__(self, evaluations: Evaluations) -> None:
        """Keep the jobs."""
        self._evaluations = evaluations

    async def EvaluateQuestionAnswering(
        self, request: requests.EvaluateQuestionAnsweringRequest, context: Context
    ) -> pb.EvaluationJob:
        """Start a job that measures answers to questions."""
        return await self._submit(request)

    async def EvaluateSummarization(
        self, request: requests.EvaluateSummarizationRequest, context: Context
    ) -> pb.EvaluationJob:
        """Start a job that measures summaries."""
        return await self._submit(request)

    async def EvaluateTextGeneration(
        self, request: requests.EvaluateTextGenerationRequest, context: Context
    ) -> pb.EvaluationJob:
        """Start a job that measures generated text."""
        return await self._submit(request)

    async def EvaluateToolCalling(self, request: more.EvaluateToolCallingRequest, context: Context) -> pb.EvaluationJob:
        """Start a job that measures tool calls."""
        return await self._submit(request)

    async def EvaluateRetrieval(self, request: more.EvaluateRetrievalRequest, context: Context) -> pb.EvaluationJob:
        """Start a job that measures retrieval."""
        return await self._submit(request)

    async def EvaluateWithJudge(self, request: more.EvaluateWithJudgeRequest, context: Context) -> pb.EvaluationJob:
        """Start a job that has answers judged."""
        return await self._submit(request)

    async def EvaluateSafety(self, request: more.EvaluateSafetyRequest, context: Context) -> pb.EvaluationJob:
        """Start a job that measures shields."""
        return await self._submit(request)

    async def EvaluateHarness(self, request: more.EvaluateHarnessRequest, context: Context) -> pb.EvaluationJob:
        """Start a job that runs a task of the harness."""
        return await self._submit(request)

    async def ListJobs(self, request: pb.ListEvaluationJobsRequest, context: Context) -> pb.ListEvaluationJobsResponse:
        """List jobs, newest first."""
        size, key = page_size(request.page_size), _after(JOBS, request.page_token, 2)
        after = None if key is None else (_number(key[0]), str(key[1]))
        found = await self._evaluations.page(_tenant(), request, after, size + 1)
        following = ""
        if len(found) > size:
            following = write_token(JOBS, (found[size - 1].created_at, found[size - 1].uuid))
        return pb.ListEvaluationJobsResponse(jobs=map(messages.job, found[:size]), next_page_token=following)

    async def GetJobStatus(
        self, request: pb.GetEvaluationJobStatusRequest, context: Context
    ) -> pb.EvaluationJobStatusResponse:
        """Tell where a job is."""
        return await self._evaluations.status(_tenant(), request.job_uuid)

    async def GetJobLogs(self, request: pb.GetEvaluationJobLogsRequest, context: Context) -> pb.EvaluationJobLogStream:
        """Give the log of a job so far."""
        return _logged(request.job_uuid, await self._evaluations.logs(_tenant(), request))

    async def FollowJobLogs(
        self, request: pb.GetEvaluationJobLogsRequest, context: Context
    ) -> AsyncIterator[pb.EvaluationJobLogStream]:
        """Send the log of a job as it grows."""
        async with aclosing(self._evaluations.follow(_tenant(), request)) as lines:
            async for some in lines:
                yield _logged(request.job_uuid, some)

    async def GetJobArtifacts(
        self, request: pb.GetEvaluationJobArtifactsRequest, context: Context
    ) -> pb.EvaluationJobArtifactsResponse:
        """Give what a job has left."""
        return await self._evaluations.artifacts(_tenant(), request.job_uuid)

    async def ListJobSamples(
        self, request: pb.ListEvaluationSamplesRequest, context: Context
    ) -> pb.ListEvaluationSamplesResponse:
        """List the samples of a job."""
        size, which = page_size(request.page_size), f"{SAMPLES} {request.job_uuid}"
        key = _after(which, request.page_token, 1)
        after = -1 if key is None else int(_number(key[0]))
        found = await self._evaluations.samples(_tenant(), request, after, size + 1)
        following = write_token(which, (found[size - 1].index,)) if len(found) > size else ""
        return pb.ListEvaluationSamplesResponse(samples=found[:size], next_page_token=following)

    async def CancelJob(
        self, request: pb.CancelEvaluationJobRequest, context: Context
    ) -> pb.CancelEvaluationJobResponse:
        """End a job."""
        await self._evaluations.cancel(_tenant(), request.job_uuid)
        return pb.CancelEvaluationJobResponse()

    async def CompareJobs(
        self, request: comparison_pb2.CompareEvaluationJobsRequest, context: Context
    ) -> comparison_pb2.CompareEvaluationJobsResponse:
        """Compare two jobs."""
        return await self._evaluations.compare(_tenant(), request)

    async def _submit(self, request: Request) -> pb.EvaluationJob:
        return messages.job(await self._evaluations.submit(identity.current(), request))


def _tenant() -> str:
    return identity.current().tenant


def _logged(uuid: str, lines: Lines) -> pb.EvaluationJobLogStream:
    return pb.EvaluationJobLogStream(job_uuid=uuid, log_lines=lines.texts, last_sequence=lines.last)


def _after(which: str, token: str, parts: int) -> Key | None:
    key = read_token(which, token)
    if key is not None and len(key) != parts:
        raise OutOfRange("the page token points nowhere")
    return key


def _number(part: str | int | float) -> float:
    if isinstance(part, str):
        raise OutOfRange("the page token points nowhere")
    return part
