"""Where metrics go besides the job's folder: TensorBoard, MLflow, Weights & Biases.

Keys come from the environment of the workers, never from the spec. One that can't be reached is left out and said so in
the log: it is not worth a training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.training.recipe.folder import JobFolder
from services.training.recipe.reporting import Logger
from services.training.recipe.spec import Spec


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

    def close(self) -> None:
        """Send what is left."""
        if (inner := self._inner) is not None:
            self._try(inner.close)

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

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class MLflow:
    """A run in an MLflow server or folder."""

    def __init__(self, spec: Spec) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=spec.loggers.mlflow_uri)
        name = spec.loggers.mlflow_experiment or "altiplano"
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known is not None else self._client.create_experiment(name)
        # a training that goes on after an interruption is the same run
        runs = self._client.search_runs([experiment], f"tags.job_uuid = '{spec.job.replace(chr(39), '')}'")
        run = runs[0] if runs else self._client.create_run(experiment, tags={"job_uuid": spec.job}, run_name=spec.job)
        self._run = run.info.run_id
        self._client.log_param(self._run, "kind", spec.kind.value)

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def close(self) -> None:
        """Say that the run is over."""
        self._client.set_terminated(self._run)


class WeightsAndBiases:
    """A run in Weights & Biases; ``WANDB_MODE=offline`` keeps it in the job's folder."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        import wandb  # type: ignore[import-not-found]  # installed where it is wanted

        self._run: Any = wandb.init(
            project=spec.loggers.wandb_project,
            entity=spec.loggers.wandb_entity,
            name=spec.job,
            dir=str(folder),
            resume="allow",
        )

    def log(self, step: int, values: dict[str, float]) -> None:
        """Take what was measured at a step."""
        self._run.log(values, step=step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()
