"""``llamastack.observability.v1.ObservabilityService``: messages in, messages out, and whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

from google.api.httpbody_pb2 import HttpBody

from llamastack.observability.v1 import artifact_pb2, experiment_pb2, log_pb2, metric_pb2, trace_pb2
from llamastack.observability.v1 import observability_service_pb2_grpc as grpc_stubs
from mesh import identity
from mesh.errors import OutOfRange, ResourceNotFound
from mesh.paging import Key, page_size, read_token, write_token
from services.eval.observability.artifacts import Artifacts
from services.eval.observability.experiments import Experiments
from services.eval.observability.export import Export
from services.eval.observability.journal import Journal
from services.eval.observability.measurements import Measurements
from services.eval.observability.spans import Spans

Context = Any
EXPERIMENTS: Final = "ListExperiments"
RUNS: Final = "ListRuns"
METRICS: Final = "GetMetrics"
ARTIFACTS: Final = "ListArtifacts"
LOGS: Final = "GetLogs"
SPANS: Final = "SearchSpans"


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is reported, of all tenants."""

    experiments: Experiments
    measurements: Measurements
    artifacts: Artifacts
    journal: Journal
    spans: Spans
    export: Export


class ObservabilityServicer(grpc_stubs.ObservabilityServiceServicer):
    """Keeps and finds what the caller's tenant reports."""

    def __init__(self, record: Record) -> None:
        """Keep the record."""
        self._record = record

    async def CreateExperiment(
        self, request: experiment_pb2.CreateExperimentRequest, context: Context
    ) -> experiment_pb2.Experiment:
        """Make an experiment."""
        return await self._record.experiments.create(_tenant(), request)

    async def GetExperiment(
        self, request: experiment_pb2.GetExperimentRequest, context: Context
    ) -> experiment_pb2.Experiment:
        """Give an experiment."""
        return await self._record.experiments.get(_tenant(), request.experiment_id)

    async def ListExperiments(
        self, request: experiment_pb2.ListExperimentsRequest, context: Context
    ) -> experiment_pb2.ListExperimentsResponse:
        """List experiments, newest first."""
        size, after = page_size(request.page_size), _newest(EXPERIMENTS, request.page_token)
        found = await self._record.experiments.page(_tenant(), request, after, size + 1)
        keys: list[Key] = [(created_at, item.id) for created_at, item in found]
        return experiment_pb2.ListExperimentsResponse(
            experiments=[item for _, item in found[:size]], next_page_token=_following(EXPERIMENTS, keys, size)
        )

    async def UpdateExperiment(
        self, request: experiment_pb2.UpdateExperimentRequest, context: Context
    ) -> experiment_pb2.Experiment:
        """Change an experiment."""
        return await self._record.experiments.update(_tenant(), request)

    async def CreateRun(self, request: experiment_pb2.CreateRunRequest, context: Context) -> experiment_pb2.Run:
        """Make a run."""
        return await self._record.experiments.create_run(_tenant(), request)

    async def GetRun(self, request: experiment_pb2.GetRunRequest, context: Context) -> experiment_pb2.Run:
        """Give a run."""
        return await self._record.experiments.get_run(_tenant(), request.run_id)

    async def ListRuns(
        self, request: experiment_pb2.ListRunsRequest, context: Context
    ) -> experiment_pb2.ListRunsResponse:
        """List runs, newest first."""
        size, after = page_size(request.page_size), _newest(RUNS, request.page_token)
        found = await self._record.experiments.run_page(_tenant(), request, after, size + 1)
        keys: list[Key] = [(started_at, item.id) for started_at, item in found]
        return experiment_pb2.ListRunsResponse(
            runs=[item for _, item in found[:size]], next_page_token=_following(RUNS, keys, size)
        )

    async def UpdateRun(self, request: experiment_pb2.UpdateRunRequest, context: Context) -> experiment_pb2.Run:
        """Change a run."""
        return await self._record.experiments.update_run(_tenant(), request)

    async def ExportRun(
        self, request: experiment_pb2.ExportRunRequest, context: Context
    ) -> experiment_pb2.ExportRunResponse:
        """Copy a run to MLflow."""
        return await self._record.export.run(_tenant(), request)

    async def LogMetrics(
        self, request: metric_pb2.LogMetricsRequest, context: Context
    ) -> metric_pb2.LogMetricsResponse:
        """Add measurements to a run."""
        run = await self._record.experiments.get_run(_tenant(), request.run_id)
        await self._record.measurements.add(run.id, request.metrics)
        return metric_pb2.LogMetricsResponse()

    async def GetMetrics(
        self, request: metric_pb2.GetMetricsRequest, context: Context
    ) -> metric_pb2.GetMetricsResponse:
        """Give the measurements of a run, oldest first."""
        run = await self._record.experiments.get_run(_tenant(), request.run_id)
        size, which = page_size(request.page_size), f"{METRICS} {run.id}"
        after = _place(_after(which, request.page_token, 3))
        name = request.name if request.HasField("name") else None
        found = await self._record.measurements.page(run.id, name, after, size + 1)
        following = _following(which, [place for place, _ in found], size)
        return metric_pb2.GetMetricsResponse(metrics=[item for _, item in found[:size]], next_page_token=following)

    async def UploadArtifact(
        self, request: artifact_pb2.UploadArtifactRequest, context: Context
    ) -> artifact_pb2.Artifact:
        """Store a file of an experiment."""
        await self._check(request)
        return await self._record.artifacts.upload(_tenant(), request)

    async def LinkArtifact(self, request: artifact_pb2.LinkArtifactRequest, context: Context) -> artifact_pb2.Artifact:
        """Make a file known that lies elsewhere."""
        await self._check(request)
        return await self._record.artifacts.link(_tenant(), request)

    async def ListArtifacts(
        self, request: artifact_pb2.ListArtifactsRequest, context: Context
    ) -> artifact_pb2.ListArtifactsResponse:
        """List the artifacts of an experiment, newest first."""
        await self._record.experiments.get(_tenant(), request.experiment_id)
        size, which = page_size(request.page_size), f"{ARTIFACTS} {request.experiment_id}"
        after = _newest(which, request.page_token)
        found = await self._record.artifacts.page(_tenant(), request, after, size + 1)
        keys: list[Key] = [(created_at, item.id) for created_at, item in found]
        return artifact_pb2.ListArtifactsResponse(
            artifacts=[item for _, item in found[:size]], next_page_token=_following(which, keys, size)
        )

    async def GetArtifact(self, request: artifact_pb2.GetArtifactRequest, context: Context) -> artifact_pb2.Artifact:
        """Describe an artifact."""
        return await self._record.artifacts.get(_tenant(), request.artifact_id)

    async def DownloadArtifact(
        self, request: artifact_pb2.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[artifact_pb2.DownloadArtifactResponse]:
        """Send the bytes of an artifact."""
        async with aclosing(self._record.artifacts.read(_tenant(), request.artifact_id, request.offset)) as pieces:
            async for piece in pieces:
                yield artifact_pb2.DownloadArtifactResponse(chunk=piece.data, size=piece.size)

    async def ReadArtifact(
        self, request: artifact_pb2.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        """Send the bytes of an artifact as what they are."""
        known = await self._record.artifacts.get(_tenant(), request.artifact_id)
        content_type = _content_type(known.mime_type, known.name)
        async with aclosing(self._record.artifacts.read(_tenant(), known.id, request.offset)) as pieces:
            async for piece in pieces:
                yield HttpBody(content_type=content_type, data=piece.data)
                content_type = ""

    async def LogMessages(self, request: log_pb2.LogMessagesRequest, context: Context) -> log_pb2.LogMessagesResponse:
        """Store log messages."""
        if request.HasField("run_id"):
            await self._record.experiments.get_run(_tenant(), request.run_id)
        await self._record.journal.add(_tenant(), request)
        return log_pb2.LogMessagesResponse()

    async def GetLogs(self, request: log_pb2.LogSearchRequest, context: Context) -> log_pb2.LogSearchResponse:
        """Look for log messages, by time."""
        size, key = page_size(request.page_size), _after(LOGS, request.page_token, 2)
        after = None if key is None else (str(key[0]), _number(key[1]))
        found = await self._record.journal.page(_tenant(), request, after, size + 1)
        following = _following(LOGS, [place for place, _ in found], size)
        return log_pb2.LogSearchResponse(logs=[log for _, log in found[:size]], next_page_token=following)

    async def FollowLogs(self, request: log_pb2.LogSearchRequest, context: Context) -> AsyncIterator[log_pb2.Log]:
        """Send log messages in order of arrival, as they come."""
        async with aclosing(self._record.journal.follow(_tenant(), request)) as logs:
            async for log in logs:
                yield log

    async def LogSpans(self, request: trace_pb2.LogSpansRequest, context: Context) -> trace_pb2.LogSpansResponse:
        """Store spans."""
        for run_id in sorted({span.run_id for span in request.spans if span.HasField("run_id")}):
            await self._record.experiments.get_run(_tenant(), run_id)
        await self._record.spans.add(_tenant(), request.spans)
        return trace_pb2.LogSpansResponse()

    async def SearchSpans(
        self, request: trace_pb2.SearchSpansRequest, context: Context
    ) -> trace_pb2.SearchSpansResponse:
        """Look for spans, by their beginning."""
        size, after = page_size(request.page_size), _place(_after(SPANS, request.page_token, 3))
        found = await self._record.spans.page(_tenant(), request, after, size + 1)
        following = _following(SPANS, [place for place, _ in found], size)
        return trace_pb2.SearchSpansResponse(spans=[span for _, span in found[:size]], next_page_token=following)

    async def _check(self, request: artifact_pb2.UploadArtifactRequest | artifact_pb2.LinkArtifactRequest) -> None:
        """Refuse an artifact of an experiment or a run that is not there, or of a run of another experiment."""
        experiment = await self._record.experiments.get(_tenant(), request.experiment_id)
        if request.HasField("run_id"):
            run = await self._record.experiments.get_run(_tenant(), request.run_id)
            if run.experiment_id != experiment.id:
                raise ResourceNotFound("run", run.id, f"run {run.id!r} is not one of experiment {experiment.id!r}")


def _tenant() -> str:
    return identity.current().tenant


def _content_type(mime_type: str, name: str) -> str:
    """Return a media type with the name of the file, and UTF-8 for a text that states no character set."""
    told = Message()
    told["content-type"] = mime_type
    if told.get_content_maintype() == "text" and told.get_param("charset") is None:
        told.set_param("charset", "utf-8")
    told.set_param("name", name, charset=None if name.isascii() else "utf-8")
    return str(told["content-type"])


def _newest(which: str, token: str) -> tuple[float, str] | None:
    """Return the time and the id that a page of a list with the newest first begins after."""
    key = _after(which, token, 2)
    if key is None:
        return None
    if not isinstance(key[0], float | int):
        raise OutOfRange("the page token points nowhere")
    return float(key[0]), str(key[1])


def _after(which: str, token: str, parts: int) -> Key | None:
    """Return the key that a page begins after.

    Raises:
        OutOfRange: the token is not one of this list.
    """
    key = read_token(which, token)
    if key is not None and len(key) != parts:
        raise OutOfRange("the page token points nowhere")
    return key


def _place(key: Key | None) -> tuple[str, str, str] | None:
    return None if key is None else (str(key[0]), str(key[1]), str(key[2]))


def _number(part: str | int | float) -> int:
    if not isinstance(part, int):
        raise OutOfRange("the page token points nowhere")
    return part


def _following(which: str, keys: list[Any], size: int) -> str:
    """Return the token for the page after one that was read with one item too many."""
    return write_token(which, keys[size - 1]) if len(keys) > size else ""
