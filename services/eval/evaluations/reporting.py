"""How a job reports to the record: an experiment, a run, measurements, log messages, files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.content_pb2 import Url
from llamastack.evaluations.v1.job_pb2 import EvaluationArtifact
from llamastack.observability.v1 import artifact_pb2, experiment_pb2, log_pb2, metric_pb2
from mesh.json_text import Loose, value_of
from services.eval.evaluations.estimates import Estimate
from services.eval.observability.artifacts import Artifacts
from services.eval.observability.experiments import Experiments
from services.eval.observability.journal import Journal
from services.eval.observability.measurements import Measurements

_MANY: Final = 1000


@dataclass(frozen=True, slots=True)
class File:
    """A file that a job leaves; ``type`` as ArtifactType is spelled."""

    name: str
    mime_type: str
    type: str
    data: bytes


class Reporter:
    """Writes what a job has to say into the record."""

    def __init__(
        self, experiments: Experiments, measurements: Measurements, artifacts: Artifacts, journal: Journal
    ) -> None:
        """Keep the parts of the record."""
        self._experiments = experiments
        self._measurements = measurements
        self._artifacts = artifacts
        self._journal = journal

    async def open(self, tenant: str, where: tuple[str | None, str], about: Mapping[str, Loose]) -> experiment_pb2.Run:
        """Return the run of a job, made if it is not there yet.

        Args:
            tenant: whose job it is.
            where: the id of the experiment; None for the one of the name that follows, which is made if need be.
            about: what is known about the job; its ``job_uuid`` tells its run from others.

        Raises:
            ResourceNotFound: there is no experiment of that id.
        """
        metadata = {name: value_of(value) for name, value in about.items()}
        mine = {"job_uuid": metadata["job_uuid"], "kind": metadata["kind"]}
        found = await self._experiments.run_page(tenant, experiment_pb2.ListRunsRequest(filters=mine), None, 1)
        if found:
            return found[0][1]
        experiment, name = where
        if experiment is None:
            experiment = await self._named(tenant, name)
        request = experiment_pb2.CreateRunRequest(experiment_id=experiment, metadata=metadata)
        return await self._experiments.create_run(tenant, request)

    async def _named(self, tenant: str, name: str) -> str:
        """Return the newest experiment of a name, made if there is none."""
        listing = experiment_pb2.ListExperimentsRequest(query=name)
        for _, known in await self._experiments.page(tenant, listing, None, _MANY):
            if known.name == name:
                return known.id
        made = await self._experiments.create(tenant, experiment_pb2.CreateExperimentRequest(name=name))
        return made.id

    async def measure(self, run: str, metrics: Mapping[str, Estimate], step: int) -> None:
        """Write the values of metrics over so many samples, unless they are there: whoever goes on asks again."""
        if await self._measurements.page(run, None, None, 1):
            return
        now = _now()
        await self._measurements.add(
            run,
            [
                metric_pb2.Metric(
                    name=name,
                    value=metric_pb2.MetricValue(number=estimate.value),
                    timestamp=now,
                    run_id=run,
                    step=step,
                )
                for name, estimate in metrics.items()
            ],
        )

    async def log(self, tenant: str, run: str, level: str, text: str) -> None:
        """Write a log message."""
        log = log_pb2.Log(message=text, level=level.lower(), timestamp=_now())
        await self._journal.add(tenant, log_pb2.LogMessagesRequest(logs=[log], run_id=run))

    async def keep(self, tenant: str, where: tuple[str, str], files: Sequence[File]) -> Sequence[EvaluationArtifact]:
        """Store files of a run (``where`` is experiment and run) that are not there yet, and return them all."""
        experiment, run = where
        listing = artifact_pb2.ListArtifactsRequest(experiment_id=experiment, run_id=run)
        known = {item.name: item for _, item in await self._artifacts.page(tenant, listing, None, _MANY)}
        kept = []
        for file in files:
            found = known.get(file.name) or await self._artifacts.upload(
                tenant,
                artifact_pb2.UploadArtifactRequest(
                    experiment_id=experiment,
                    name=file.name,
                    artifact_type=file.type,
                    content=file.data,
                    mime_type=file.mime_type,
                    run_id=run,
                ),
            )
            kept.append(
                EvaluationArtifact(
                    artifact_id=found.id,
                    name=found.name,
                    mime_type=found.mime_type,
                    url=Url(uri=f"/artifacts/download?artifact_id={found.id}"),
                    size_bytes=found.size,
                )
            )
        return kept

    async def close(self, tenant: str, run: str, status: str) -> None:
        """Write how a job ended."""
        request = experiment_pb2.UpdateRunRequest(run_id=run, status=status, ended_at=_now())
        await self._experiments.update_run(tenant, request)


def _now() -> Timestamp:
    made = Timestamp()
    made.FromNanoseconds(time.time_ns())
    return made
