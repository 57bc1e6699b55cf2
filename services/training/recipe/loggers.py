"""Where metrics go besides the job's folder: TensorBoard, MLflow, Weights & Biases.

Keys come from the environment of the workers, never from the spec. One that can't be reached is left out and said so in
the log: it is not worth a training.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from services.training.recipe.folder import JobFolder
from services.training.recipe.reporting import Logger
from services.training.recipe.spec import Spec

_TAG: Final = "altiplano.job"
_EVERY_S: Final = 2.0
_MOST: Final = 500
_MLFLOW: Final = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}


def loggers(spec: Spec, folder: JobFolder) -> Sequence[Logger]:
    """Return the loggers that a spec asks for."""
    asked: list[tuple[str, Callable[[], Logger]]] = []
    wanted = spec.loggers
    if wanted.tensorboard:
        asked.append(("TensorBoard", lambda: TensorBoard(folder.files / "tensorboard")))
    if wanted.mlflow_uri is not None:
        asked.append(("MLflow", lambda: MLflow(spec)))
    if wanted.wandb_project is not None:
        asked.append(("Weights & Biases", lambda: WeightsAndBiases(spec, folder.path)))
    return [Patient(name, make, folder) for name, make in asked]


class Patient:
    """A logger whose failures are said once in the log and do no harm."""

    def __init__(self, name: str, make: Callable[[], Logger], folder: JobFolder) -> None:
        self._name = name
        self._folder = folder
        self._inner: Logger | None = None
        self._try(lambda: setattr(self, "_inner", make()))

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        if (inner := self._inner) is not None:
            self._try(lambda: inner.log(step, values))

    def close(self, *, failed: bool) -> None:
        """Send what is left."""
        if (inner := self._inner) is not None:
            self._try(lambda: inner.close(failed=failed))
            self._inner = None

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:  # noqa: BLE001 - the edge to packages that raise whatever they like
            self._inner = None
            self._folder.log("WARNING", f"{self._name} gets no metrics any more ({type(error).__name__})")


class TensorBoard:
    """Event files in a folder."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, failed: bool) -> None:
        """Write what is left."""
        self._writer.close()


class MLflow:
    """A run in an MLflow server or folder; steps are sent together, every two seconds at most."""

    def __init__(self, spec: Spec, clock: Callable[[], float] = time.monotonic) -> None:
        # a server that does not answer must not keep the training waiting for minutes
        for name, value in _MLFLOW.items():
            os.environ.setdefault(name, value)
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self._metric = Metric
        self._clock = clock
        self._sent = clock()
        self._waiting: list[Any] = []
        self._client = MlflowClient(tracking_uri=spec.loggers.mlflow_uri)
        name = spec.loggers.mlflow_experiment or "altiplano"
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known is not None else self._client.create_experiment(name)
        self._run = self._found(experiment, spec)
        settings = [Param(key, value) for key, value in parameters(spec).items()]
        self._client.log_batch(self._run, params=settings)

    def _found(self, experiment: str, spec: Spec) -> str:
        """Return the run of the job: a training that goes on after an interruption is the same run."""
        mine = identity(spec)
        runs = self._client.search_runs([experiment], f"tags.`{_TAG}` = '{mine}'", max_results=1)
        if not runs:
            tags = {_TAG: mine, "job_uuid": spec.job}
            return str(self._client.create_run(experiment, tags=tags, run_name=spec.job).info.run_id)
        run = str(runs[0].info.run_id)
        self._client.update_run(run, "RUNNING")
        return run

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        now = round(time.time() * 1000)
        self._waiting += [self._metric(name, value, now, step) for name, value in values.items()]
        if self._clock() - self._sent >= _EVERY_S or len(self._waiting) >= _MOST:
            self._send()

    def close(self, *, failed: bool) -> None:
        """Send what is left and say that the run is over."""
        self._send()
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._sent = self._clock()
        for start in range(0, len(waiting), _MOST):
            self._client.log_batch(self._run, metrics=waiting[start : start + _MOST])


class WeightsAndBiases:
    """A run in Weights & Biases; ``WANDB_MODE=offline`` keeps it in the job's folder."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        import wandb  # type: ignore[import-not-found]  # installed where it is wanted

        self._run: Any = wandb.init(
            project=spec.loggers.wandb_project,
            entity=spec.loggers.wandb_entity,
            name=spec.job,
            # a training that goes on after an interruption is the same run
            id=identity(spec),
            resume="allow",
            dir=str(folder),
            config=parameters(spec),
            settings=wandb.Settings(init_timeout=30, console="off"),
        )

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        self._run.log(values, step=step)

    def close(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish(exit_code=int(failed))


def identity(spec: Spec) -> str:
    """Return what names a job among those of all tenants, in a form that every tracker takes."""
    tenant = "" if spec.caller is None else spec.caller.tenant
    return hashlib.sha256(f"{tenant}\0{spec.job}".encode()).hexdigest()[:24]


def parameters(spec: Spec) -> dict[str, str]:
    """Return the settings of a training by their paths, as ``optimizer.lr``; none of them is private."""
    found = {"kind": spec.kind.value}
    for part in ("optimizer", "loop", "adapter", "workers", "preference"):
        settings = getattr(spec, part)
        if settings is not None:
            found |= {f"{part}.{name}": str(value) for name, value in asdict(settings).items()}
    return found
