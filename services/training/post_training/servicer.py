"""``llamastack.post_training.v1.PostTrainingService``: messages in, messages out, and whose job it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

from llamastack.post_training.v1 import checkpoint_pb2 as checkpoint_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import post_training_pb2 as requests_pb
from llamastack.post_training.v1 import post_training_service_pb2_grpc as grpc_stubs
from mesh import identity
from mesh.paging import page_size, read_token, write_token
from services.training.post_training import lineage, messages, progress
from services.training.post_training.jobs import Jobs
from services.training.post_training.places import Places
from services.training.post_training.registry import Evaluations, Registry
from services.training.post_training.requests import Asked
from services.training.post_training.submission import Submission

Context = Any
JOBS: Final = "ListPostTrainingJobs"
_MOST: Final = 10_000
_STATES: Final = {number: state for state, number in messages.STATES.items()}
_KINDS: Final = {number: kind for kind, number in messages.KINDS.items()}


class PostTrainingServicer(grpc_stubs.PostTrainingServiceServicer):
    """Trains models in jobs of the caller's tenant; ``wake`` is called when a job waits."""

    def __init__(
        self,
        submission: Submission,
        jobs: Jobs,
        registry: Registry,
        evaluations: Evaluations,
        places: Places,
        wake: Callable[[], None],
    ) -> None:
        self._submission = submission
        self._jobs = jobs
        self._registry = registry
        self._evaluations = evaluations
        self._places = places
        self._wake = wake

    async def SupervisedFineTune(
        self, request: requests_pb.PostTrainingSftRequest, context: Context
    ) -> pb.PostTrainingJob:
        """Start a job that trains on examples."""
        return await self._submit(request)

    async def PreferenceOptimize(
        self, request: requests_pb.PostTrainingRlhfRequest, context: Context
    ) -> pb.PostTrainingJob:
        """Start a job that trains on preferences."""
        return await self._submit(request)

    async def ReinforcementFineTune(
        self, request: requests_pb.PostTrainingGrpoRequest, context: Context
    ) -> pb.PostTrainingJob:
        """Start a job that trains on rewards."""
        return await self._submit(request)

    async def ListJobs(
        self, request: pb.ListPostTrainingJobsRequest, context: Context
    ) -> pb.ListPostTrainingJobsResponse:
        """List the jobs, newest first."""
        size, which = page_size(request.page_size), f"{JOBS} {request.state} {request.kind}"
        after: Any = read_token(which, request.page_token)
        found = await self._jobs.page(_tenant(), _KINDS.get(request.kind), _STATES.get(request.state), size + 1, after)
        last = found[size - 1] if len(found) > size else None
        following = "" if last is None else write_token(which, (last.created_at, last.uuid))
        return pb.ListPostTrainingJobsResponse(jobs=map(messages.job, found[:size]), next_page_token=following)

    async def GetJobStatus(
        self, request: pb.GetPostTrainingJobStatusRequest, context: Context
    ) -> pb.PostTrainingJobStatusResponse:
        """Tell where a job is."""
        return messages.status(await self._jobs.status(_tenant(), request.job_uuid))

    async def GetJobLogs(
        self, request: pb.GetPostTrainingJobLogsRequest, context: Context
    ) -> pb.PostTrainingJobLogStream:
        """Give the log so far."""
        most = request.max_lines or _MOST
        found = await self._jobs.log(_tenant(), request.job_uuid, request.after_sequence, most)
        return pb.PostTrainingJobLogStream(job_uuid=request.job_uuid, log_lines=found.lines, last_sequence=found.last)

    async def FollowJobLogs(
        self, request: pb.GetPostTrainingJobLogsRequest, context: Context
    ) -> AsyncIterator[pb.PostTrainingJobLogStream]:
        """Send the log as it grows."""
        following = self._jobs.follow_log(_tenant(), request.job_uuid, request.after_sequence)
        async with aclosing(following):
            async for found in following:
                yield pb.PostTrainingJobLogStream(
                    job_uuid=request.job_uuid, log_lines=found.lines, last_sequence=found.last
                )

    async def GetJobMetrics(
        self, request: pb.GetPostTrainingJobMetricsRequest, context: Context
    ) -> pb.GetPostTrainingJobMetricsResponse:
        """Give the metrics so far."""
        most = request.max_points or _MOST
        found = await self._jobs.points(_tenant(), request.job_uuid, request.after_sequence, most)
        return pb.GetPostTrainingJobMetricsResponse(metrics=map(messages.metrics, found))

    async def FollowJobMetrics(
        self, request: pb.GetPostTrainingJobMetricsRequest, context: Context
    ) -> AsyncIterator[pb.TrainingMetrics]:
        """Send the metrics as they come."""
        following = self._jobs.follow_points(_tenant(), request.job_uuid, request.after_sequence)
        async with aclosing(following):
            async for found in following:
                yield messages.metrics(found)

    async def GetJobArtifacts(
        self, request: pb.GetPostTrainingJobArtifactsRequest, context: Context
    ) -> pb.PostTrainingJobArtifactsResponse:
        """List what a job has left."""
        found = await self._jobs.status(_tenant(), request.job_uuid)
        return await asyncio.to_thread(messages.artifacts, found)

    async def CancelJob(
        self, request: pb.CancelPostTrainingJobRequest, context: Context
    ) -> pb.CancelPostTrainingJobResponse:
        """End a job."""
        await self._jobs.cancel(_tenant(), request.job_uuid)
        return pb.CancelPostTrainingJobResponse()

    async def ResumeJob(self, request: pb.ResumePostTrainingJobRequest, context: Context) -> pb.PostTrainingJob:
        """Have a job go on."""
        chosen = request.checkpoint_id if request.HasField("checkpoint_id") else None
        return messages.job(await self._jobs.resume(_tenant(), request.job_uuid, chosen))

    async def RegisterCheckpoint(
        self, request: checkpoint_pb.RegisterCheckpointRequest, context: Context
    ) -> checkpoint_pb.RegisterCheckpointResponse:
        """Put a checkpoint into service."""
        tenant, chosen = _tenant(), request.checkpoint_id
        if not chosen:
            folder = self._places.of(await self._jobs.get(tenant, request.job_uuid))
            chosen = await self._registry.latest(folder, request.job_uuid)
        base = request.base_model if request.HasField("base_model") else None
        made = await self._registry.register(tenant, chosen, request.model_id, base)
        return checkpoint_pb.RegisterCheckpointResponse(
            model_id=made.model_id,
            kind=messages.kind_of(made.saved),
            base_model=made.base_model,
            checkpoint=messages.checkpoint(made.saved, made.job_uuid, made.model_id),
        )

    async def GetLineage(self, request: checkpoint_pb.GetLineageRequest, context: Context) -> checkpoint_pb.Lineage:
        """Tell where a checkpoint comes from."""
        tenant, chosen = _tenant(), request.checkpoint_id
        job_uuid, saved = await asyncio.to_thread(self._places.checkpoint, tenant, chosen)
        origin = await asyncio.to_thread(lineage.read, saved.path.parent.parent)
        run_id = progress.read((await self._jobs.get(tenant, job_uuid)).progress).run_id
        made = messages.lineage(saved, job_uuid, origin, run_id)
        made.registered_models.extend(await self._registry.models(tenant, chosen))
        made.evaluation_job_uuids.extend(await self._evaluations.of(chosen))
        return made

    async def _submit(self, request: Asked) -> pb.PostTrainingJob:
        made = await self._submission.submit(identity.current(), request)
        self._wake()
        return messages.job(made)


def _tenant() -> str:
    return identity.current().tenant
