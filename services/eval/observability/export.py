"""Copies of runs in MLflow, made by a child process, whose packages and global state stay out of this one.

What is copied is staged in a folder: ``run.json``, ``metrics.jsonl`` and the artifacts' files; see ``mlflow_copy``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.observability.v1 import artifact_pb2, metric_pb2
from llamastack.observability.v1 import experiment_pb2 as pb
from mesh.errors import BackendUnavailable, InvalidField, WrongState
from mesh.json_text import write
from services.eval.observability.artifacts import Artifacts
from services.eval.observability.experiments import Experiments
from services.eval.observability.measurements import Measurements

_PAGE: Final = 1000
_COPIER: Final = "services.eval.observability.mlflow_copy"


@dataclass(frozen=True, slots=True)
class Trackers:
    """Which MLflow servers runs may be copied to.

    ``default`` is a tracking URI (http, https, or file: for a folder), empty for none; ``allowed`` are host:port of
    servers that callers may name; ``timeout_s`` is seconds for one copy.
    """

    default: str = ""
    allowed: tuple[str, ...] = ()
    timeout_s: float = 240.0

    def choose(self, asked: str | None) -> str:
        """Return the tracking URI for a request.

        Raises:
            InvalidField: the server that was asked for is not allowed.
            WrongState: none was asked for and there is no default.
        """
        if asked is None:
            if not self.default:
                raise WrongState("no MLflow server is configured; name one as tracking_uri")
            return self.default
        try:
            parts = urlsplit(asked)
            named = parts.netloc in self.allowed and parts.scheme in {"http", "https"}
        except ValueError:
            named = False
        if not named and asked != self.default:
            raise InvalidField("tracking_uri", "an http or https URL of a server that is allowed here is needed")
        return asked


@dataclass(frozen=True, slots=True)
class Records:
    """What a copy is made from."""

    experiments: Experiments
    measurements: Measurements
    artifacts: Artifacts


class Export:
    """Copies runs to MLflow."""

    def __init__(self, records: Records, trackers: Trackers) -> None:
        """Keep what is copied and where to."""
        self._records = records
        self._trackers = trackers

    async def run(self, tenant: str, request: pb.ExportRunRequest) -> pb.ExportRunResponse:
        """Copy a run with its metrics and artifacts, or bring its copy up to date.

        Raises:
            ResourceNotFound: the tenant has no such run.
            WrongState: no server is configured.
            InvalidField: the server is not allowed.
            BackendUnavailable: the server can't be reached or refuses.
        """
        run = await self._records.experiments.get_run(tenant, request.run_id)
        uri = self._trackers.choose(request.tracking_uri if request.HasField("tracking_uri") else None)
        experiment = await self._records.experiments.get(tenant, run.experiment_id)
        with tempfile.TemporaryDirectory(prefix="altiplano-export-") as folder:
            document = {
                "tracking_uri": uri,
                "experiment": request.experiment_name if request.HasField("experiment_name") else experiment.name,
                "run": _described(run),
                "artifacts": await self._stage_artifacts(tenant, run, Path(folder)),
            }
            num_metrics = await self._stage_metrics(run.id, Path(folder))
            await asyncio.to_thread((Path(folder) / "run.json").write_text, json.dumps(document))
            told = await self._copy(folder, uri)
        return pb.ExportRunResponse(
            mlflow_run_id=told["run_id"], num_metrics=num_metrics, num_artifacts=len(document["artifacts"])
        )

    async def _stage_metrics(self, run_id: str, folder: Path) -> int:
        count = 0
        after = None
        with (folder / "metrics.jsonl").open("w") as file:
            while found := await self._records.measurements.page(run_id, None, after, _PAGE):
                await asyncio.to_thread(file.writelines, [f"{json.dumps(_metric(metric))}\n" for _, metric in found])
                count += len(found)
                after = found[-1][0]
        return count

    async def _stage_artifacts(self, tenant: str, run: pb.Run, folder: Path) -> Sequence[dict[str, str]]:
        """Write the files of a run's artifacts and return their names; linked folders stay where they are."""
        staged = []
        after = None
        request = artifact_pb2.ListArtifactsRequest(experiment_id=run.experiment_id, run_id=run.id)
        while found := await self._records.artifacts.page(tenant, request, after, _PAGE):
            for _, artifact in found:
                if not artifact.HasField("sha256"):
                    continue
                path = folder / artifact.id
                with path.open("wb") as file:
                    async for piece in self._records.artifacts.read(tenant, artifact.id):
                        await asyncio.to_thread(file.write, piece.data)
                staged.append({"id": artifact.id, "name": artifact.name})
            after = (found[-1][0], found[-1][1].id)
        return staged

    async def _copy(self, folder: str, uri: str) -> dict[str, str]:
        allowed = {"MLFLOW_ALLOW_FILE_STORE": "true"} if uri.startswith("file:") else {}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _COPIER, folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **allowed},
        )
        try:
            async with asyncio.timeout(self._trackers.timeout_s):
                out, _ = await process.communicate()
        except TimeoutError as error:
            raise BackendUnavailable(f"MLflow did not answer within {self._trackers.timeout_s:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise BackendUnavailable("MLflow can't be reached, or refused the copy")
        told: dict[str, str] = json.loads(out)
        return told


def _described(run: pb.Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "started_ms": run.started_at.ToMilliseconds(),
        "ended_ms": run.ended_at.ToMilliseconds() if run.HasField("ended_at") else None,
        "parameters": {name: _text(value) for name, value in run.metadata.items()},
    }


def _text(value: JsonValue) -> str:
    return value.string_value if value.WhichOneof("kind") == "string_value" else write(value)


_NUMBERS: Final[frozenset[str]] = frozenset({"integer", "number", "boolean"})


def _metric(metric: metric_pb2.Metric) -> dict[str, Any]:
    kind = metric.value.WhichOneof("value") or "text"
    value = getattr(metric.value, kind)
    number = float(value) if kind in _NUMBERS else None
    # JSON has no NaN; Python's own reader at the other end does
    return {
        "name": metric.name,
        "value": number,
        "text": value if number is None else None,
        "ms": metric.timestamp.ToMilliseconds(),
        "step": metric.step,
    }
