"""Reports of generation jobs to the observability service: a run per job. A report that fails never fails the job."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import grpc.aio

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.observability.v1 import experiment_pb2, metric_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from mesh.json_text import value_of
from services.training.datasets.messages import timestamp

if TYPE_CHECKING:
    from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceAsyncStub

EXPERIMENT: Final = "synthetic data"
_KIND: Final = {"kind": value_of("synthetic_data")}
_MEASURED: Final = ("num_samples", "num_kept", "num_errors", "score_mean", "kept_score_mean", "completion_tokens")
_CALL_S: Final = 10.0


class Runs:
    """Tells the observability service of jobs, as whoever asked for them. ``clock`` gives Unix seconds."""

    def __init__(self, channel: grpc.aio.Channel, clock: Callable[[], float] = time.time) -> None:
        """Keep the channel."""
        self._stub: ObservabilityServiceAsyncStub = ObservabilityServiceStub(channel)
        self._clock = clock

    async def begin(self, metadata: Mapping[str, str]) -> str | None:
        """Return the id of a new run of the tenant's experiment, None if there can't be one now."""
        try:
            request = experiment_pb2.ListExperimentsRequest(page_size=1, filters=_KIND)
            known = (await self._stub.ListExperiments(request, timeout=_CALL_S)).experiments
            if known:
                experiment = known[0].id
            else:
                creation = experiment_pb2.CreateExperimentRequest(name=EXPERIMENT, metadata=_KIND)
                experiment = (await self._stub.CreateExperiment(creation, timeout=_CALL_S)).id
            values = {name: value_of(value) for name, value in metadata.items()}
            run = experiment_pb2.CreateRunRequest(experiment_id=experiment, metadata=values)
            return (await self._stub.CreateRun(run, timeout=_CALL_S)).id
        except grpc.aio.AioRpcError:
            return None

    async def measured(self, run_id: str, step: int, statistics: Mapping[str, JsonValue]) -> None:
        """Report how far a job is, with the prompts that are done as the step."""
        now = timestamp(self._clock())
        metrics = [
            metric_pb2.Metric(name=name, value=_metric(statistics[name]), timestamp=now, run_id=run_id, step=step)
            for name in _MEASURED
            if name in statistics
        ]
        try:
            await self._stub.LogMetrics(metric_pb2.LogMetricsRequest(run_id=run_id, metrics=metrics), timeout=_CALL_S)
        except grpc.aio.AioRpcError:
            return

    async def ended(self, run_id: str, state: str) -> None:
        """Report that a job has come to its final state."""
        request = experiment_pb2.UpdateRunRequest(run_id=run_id, status=state, ended_at=timestamp(self._clock()))
        try:
            await self._stub.UpdateRun(request, timeout=_CALL_S)
        except grpc.aio.AioRpcError:
            return


def _metric(value: JsonValue) -> metric_pb2.MetricValue:
    if value.WhichOneof("kind") == "integer_value":
        return metric_pb2.MetricValue(integer=value.integer_value)
    return metric_pb2.MetricValue(number=value.number_value)
