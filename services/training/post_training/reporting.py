"""Tells the observability service what jobs do: a run with metrics, links to checkpoints, files at the end.

A report that fails is tried again later and never does a job harm.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.observability.v1 import artifact_pb2, experiment_pb2, metric_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from mesh.errors import MeshError, ResourceNotFound, from_rpc
from mesh.identity import current_or_none
from mesh.jobs.job import Job
from services.training.post_training import lineage
from services.training.post_training.places import Places, name_of
from services.training.post_training.progress import Progress
from services.training.post_training.submitted import kind
from services.training.recipe.folder import JobFolder, put

log = logging.getLogger(__name__)
T = TypeVar("T")

ARTIFACTS: Final = "artifacts.json"
_TYPES: Final = {".png": "plot", ".csv": "metric", ".json": "config"}
_BATCH: Final = 4096
_PAUSE_S: Final = 30.0
_TRIES: Final = 20
_CALL_S: Final = 10.0
_MOST_BYTES: Final = 32 << 20
_REFUSALS: Final = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


class Reporter(Protocol):
    """Who is told what jobs do. What it raises is for nobody: it raises nothing."""

    async def begin(self, job: Job, state: Progress) -> Progress:
        """Say that a job begins; return what to remember."""
        ...

    async def tell(self, job: Job, folder: JobFolder, state: Progress) -> Progress:
        """Say what is new; return what to remember."""
        ...

    async def end(self, job: Job, state: Progress, status: str) -> None:
        """Say how a job ended."""
        ...


class Experiments(Protocol):
    """Who keeps the experiments that runs are put under."""

    async def check(self, experiment: str) -> None:
        """Make sure that an experiment is there.

        Raises:
            ResourceNotFound: it is not.
        """
        ...


@dataclass(frozen=True, slots=True)
class _End:
    """That a job is over, how, and since when."""

    job: Job
    status: str
    at: Timestamp


class Observability:
    """Reports to the observability service, and keeps its experiments; ``clock`` gives monotonic seconds."""

    def __init__(self, channel: grpc.aio.Channel, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._stub: Any = ObservabilityServiceStub(channel)
        self._places = places
        self._clock = clock
        self._silent_until: dict[str, float] = {}
        self._late: set[asyncio.Task[None]] = set()

    async def check(self, experiment: str) -> None:
        """Make sure that an experiment is there; see :class:`Experiments`. A service that is away is not asked."""
        request = experiment_pb2.GetExperimentRequest(experiment_id=experiment)
        try:
            await self._stub.GetExperiment(request, timeout=_CALL_S)
        except grpc.aio.AioRpcError as error:
            told = from_rpc(error)
            if told.code is grpc.StatusCode.NOT_FOUND:
                raise ResourceNotFound("experiment", experiment) from error
            log.warning("experiment %s can't be looked at now: %s", experiment, told.message)

    async def begin(self, job: Job, state: Progress) -> Progress:
        """Make the run of a job, unless it has one."""
        if state.run_id is not None:
            return state
        found = await self._quietly(lambda: self._run(job))
        return state if found is None else replace(state, experiment_id=found[0], run_id=found[1])

    async def tell(self, job: Job, folder: JobFolder, state: Progress) -> Progress:
        """Send measurements and checkpoints that are new."""
        state = await self.begin(job, state)
        if state.run_id is None:
            return state
        events = await asyncio.to_thread(_events, folder.events_file, state.reported)
        metrics = [metric for event in events for metric in _metrics(event, state.run_id)]
        if metrics:
            sent = await self._quietly(lambda: self._send(str(state.run_id), metrics))
            if sent is None:
                return state
            state = replace(state, reported=state.reported + len(events))
        made = (await asyncio.to_thread(folder.checkpoints))[state.linked :]
        for saved in made:
            request = artifact_pb2.LinkArtifactRequest(
                experiment_id=state.experiment_id or "",
                run_id=state.run_id,
                name=name_of(saved.path),
                type=artifact_pb2.ARTIFACT_TYPE_CHECKPOINT,
                url=Url(uri=saved.path.as_uri()),
                metadata={"job_uuid": _text(job.uuid), "iters": JsonValue(integer_value=saved.iters)},
            )
            if await self._offered(self._stub.LinkArtifact, request) is None:
                break
            state = replace(state, linked=state.linked + 1)
        return state

    async def end(self, job: Job, state: Progress, status: str) -> None:
        """Send what is left of a job, and close its run; what can't be sent now is sent later by this process."""
        ended = Timestamp()
        ended.GetCurrentTime()
        end = _End(job, status, ended)
        state, told = await self._told(end, state)
        if not told:
            task = asyncio.create_task(self._tell_late(end, state))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def close(self) -> None:
        """Give up what could not be sent yet."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _tell_late(self, end: _End, state: Progress) -> None:
        for _ in range(_TRIES):
            await asyncio.sleep(_PAUSE_S)
            state, told = await self._told(end, state)
            if told:
                return
        log.warning("the end of job %s could not be reported", end.job.uuid)

    async def _told(self, end: _End, state: Progress) -> tuple[Progress, bool]:
        """Say how a job ended, and return what to remember and whether all was said."""
        folder = self._places.of(end.job)
        state = await self.tell(end.job, folder, state)
        if state.run_id is None or (end.status == "completed" and not await self._upload(folder, state)):
            return state, False
        request = experiment_pb2.UpdateRunRequest(run_id=state.run_id, status=end.status, ended_at=end.at)
        return state, await self._quietly(lambda: self._stub.UpdateRun(request, timeout=_CALL_S)) is not None

    async def _run(self, job: Job) -> tuple[str, str]:
        origin = await asyncio.to_thread(lineage.read, self._places.of(job).path)
        experiment = origin.experiment or await self._experiment(f"training of {origin.model}")
        mine = {"job_uuid": _text(job.uuid)}
        listing = experiment_pb2.ListRunsRequest(experiment_id=experiment, filters=mine, page_size=1)
        known = (await self._stub.ListRuns(listing, timeout=_CALL_S)).runs
        if known:
            return experiment, str(known[0].id)
        about = {**mine, "kind": _text(kind(job).value), "model": _text(origin.model)}
        making = experiment_pb2.CreateRunRequest(experiment_id=experiment, metadata=about)
        return experiment, str((await self._stub.CreateRun(making, timeout=_CALL_S)).id)

    async def _experiment(self, name: str) -> str:
        listing = experiment_pb2.ListExperimentsRequest(query=name[:1024], page_size=100)
        for known in (await self._stub.ListExperiments(listing, timeout=_CALL_S)).experiments:
            if known.name == name[:1024]:
                return str(known.id)
        making = experiment_pb2.CreateExperimentRequest(name=name[:1024])
        return str((await self._stub.CreateExperiment(making, timeout=_CALL_S)).id)

    async def _send(self, run_id: str, metrics: list[metric_pb2.Metric]) -> bool:
        for start in range(0, len(metrics), _BATCH):
            request = metric_pb2.LogMetricsRequest(run_id=run_id, metrics=metrics[start : start + _BATCH])
            await self._stub.LogMetrics(request, timeout=_CALL_S)
        return True

    async def _upload(self, folder: JobFolder, state: Progress) -> bool:
        """Upload the files of a job that are not there yet; return whether all are there."""
        known = dict(await asyncio.to_thread(artifact_ids, folder))
        for file in await asyncio.to_thread(_files, folder.files):
            if file.name in known:
                continue
            content = await asyncio.to_thread(file.read_bytes)
            request = artifact_pb2.UploadArtifactRequest(
                experiment_id=state.experiment_id or "",
                run_id=state.run_id,
                name=file.name,
                artifact_type=_TYPES.get(file.suffix, "other"),
                content=content,
            )
            made = await self._offered(self._stub.UploadArtifact, request)
            if made is None:
                return False
            if made.id:
                known[file.name] = made.id
                await asyncio.to_thread(put, folder.path / ARTIFACTS, json.dumps(known))
        return True

    async def _offered(self, method: Any, request: Message) -> artifact_pb2.Artifact | None:
        """Return the artifact that a call makes, an empty one if it is refused for good, None if it has to wait.

        Links are refused where the service does not read the disk of the checkpoints.
        """

        async def ask() -> artifact_pb2.Artifact:
            try:
                made: artifact_pb2.Artifact = await method(request, timeout=_CALL_S)
            except grpc.aio.AioRpcError as error:
                told = from_rpc(error)
                if told.code not in _REFUSALS or told.retry_after_s is not None:
                    raise
                log.info("%s of a job is not kept as an artifact: %s", getattr(request, "name", ""), told.message)
                return artifact_pb2.Artifact()
            return made

        return await self._quietly(ask)

    async def _quietly(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return what a call gives, None if it fails or others of the tenant failed a moment ago."""
        caller = current_or_none()
        # what a tenant may not do says nothing about others
        tenant = "" if caller is None else caller.tenant
        if self._clock() < self._silent_until.get(tenant, 0.0):
            return None
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            told: MeshError = from_rpc(error)
        except MeshError as error:
            told = error
        log.warning("a job can't be reported now: %s", told.message)
        self._silent_until[tenant] = self._clock() + _PAUSE_S
        return None


def artifact_ids(folder: JobFolder) -> Mapping[str, str]:
    """Return the ids of the files of a job that were uploaded, by their names."""
    try:
        found: dict[str, str] = json.loads((folder.path / ARTIFACTS).read_text())
    except FileNotFoundError:
        return {}
    return found


def _files(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(file for file in found if file.is_file() and file.stat().st_size <= _MOST_BYTES)


def _events(file: Path, after: int) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    with file.open() as lines:
        return [json.loads(line) for number, line in enumerate(lines) if number >= after and line.endswith("\n")]


def _metrics(event: dict[str, Any], run_id: str) -> list[metric_pb2.Metric]:
    at = Timestamp()
    at.FromNanoseconds(int(event["time"] * 1e9))
    return [
        metric_pb2.Metric(
            name=name, value=metric_pb2.MetricValue(number=value), timestamp=at, run_id=run_id, step=event["step"]
        )
        for name, value in sorted(event["values"].items())
    ]


def _text(text: str) -> JsonValue:
    return JsonValue(string_value=text)
