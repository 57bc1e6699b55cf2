"""Where a training's metrics go besides its folder: TensorBoard, MLflow (a folder, a server) and Weights & Biases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.training.recipe import loggers as subject
from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Caller, Loggers, Spec
from tests.unit.training.recipe import small

pytestmark = pytest.mark.filterwarnings("ignore")
STEPS = 3


@dataclass
class Tracker:
    """An MLflow server with one experiment: its runs by id, each with tags, params, metrics and a status."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiment: str | None = None
    url: str = ""

    def get(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """Answer a GET."""
        if path == "runs/get":
            return 200, {"run": self.told(query["run_id"])}
        assert path == "experiments/get-by-name"
        if self.experiment != query["experiment_name"]:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}
        return 200, {"experiment": {"experiment_id": "1", "name": self.experiment, "lifecycle_stage": "active"}}

    def post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        """Answer a POST."""
        match path:
            case "experiments/create":
                self.experiment = asked["name"]
                return 200, {"experiment_id": "1"}
            case "runs/create":
                run = f"run-{len(self.runs)}"
                tags = {tag["key"]: tag["value"] for tag in asked["tags"]}
                self.runs[run] = {"tags": tags, "params": {}, "metrics": [], "status": "RUNNING"}
                return 200, {"run": self.told(run)}
            case "runs/search":
                name, _, value = asked["filter"].removeprefix("tags.").partition(" = ")
                found = [
                    run for run, held in self.runs.items() if held["tags"].get(name.strip("`")) == value.strip("'")
                ]
                return 200, {"runs": [self.told(run) for run in found]}
            case "runs/log-batch":
                held = self.runs[asked["run_id"]]
                held["params"] |= {item["key"]: item["value"] for item in asked.get("params", [])}
                held["metrics"] += [(item["key"], item.get("step", 0)) for item in asked.get("metrics", [])]
                return 200, {}
            case "runs/update":
                self.runs[asked["run_id"]]["status"] = asked["status"]
                return 200, {"run_info": self.told(asked["run_id"])["info"]}
        raise AssertionError(path)

    def told(self, run: str) -> dict[str, Any]:
        """Return a run as the server describes it."""
        held = self.runs[run]
        info = {"run_id": run, "experiment_id": "1", "status": held["status"], "lifecycle_stage": "active"}
        return {"info": info, "data": {"tags": [{"key": key, "value": value} for key, value in held["tags"].items()]}}


@contextmanager
def tracking() -> Iterator[Tracker]:
    """Serve a tracker on loopback."""
    tracker = Tracker()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self.answer(tracker.get, {name: value[0] for name, value in parse_qs(parts.query).items()})

        def do_POST(self) -> None:
            self.answer(tracker.post, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, ask: Any, asked: Any) -> None:
            status, told = ask(urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/"), asked)
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tracker.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield tracker
        finally:
            server.shutdown()
            serving.join()


def reporting(folder: Path, **where: Any) -> Spec:
    """Return a short training that reports somewhere."""
    made = small.examples(folder, loop={"iterations": STEPS, "checkpoint_interval": 1, "evaluation_interval": STEPS})
    return replace(made, loggers=Loggers(**where), adapter=small.LORA, caller=Caller("ann", "acme", ()))


def trained(folder: Path, spec: Spec, **more: Any) -> JobFolder:
    """Run a training with its loggers."""
    return small.train(folder, spec, loggers=subject.loggers(spec, JobFolder(folder, 1)), **more)


def test_a_training_that_goes_on_is_one_run_of_an_mlflow_server(tmp_path: Path) -> None:
    with tracking() as tracker:
        spec = reporting(tmp_path, mlflow_uri=tracker.url, mlflow_experiment="tuning")
        first = trained(tmp_path / "job", spec)
        [run] = tracker.runs.values()
        assert (tracker.experiment, run["status"], run["tags"]["job_uuid"]) == ("tuning", "FINISHED", "small")
        assert [step for name, step in run["metrics"] if name == "loss"] == [1, 2, 3]
        assert [step for name, step in run["metrics"] if name == "validation_loss"] == [3]
        assert (run["params"]["kind"], run["params"]["adapter.rank"], run["params"]["loop.batch_size"]) == (
            *("sft", "8"),
            "4",
        )
        run["metrics"].clear()
        trained(tmp_path / "job", spec, resume=first.checkpoints()[0].path)
        assert [step for name, step in run["metrics"] if name == "loss"] == [2, 3]
        assert len(tracker.runs) == 1
        # another tenant's job of the same id is another run
        trained(tmp_path / "other", replace(spec, caller=Caller("bob", "other", ())))
        assert len(tracker.runs) == 2


def test_the_run_of_a_training_that_failed_says_so(tmp_path: Path) -> None:
    with tracking() as tracker:
        spec = reporting(tmp_path, mlflow_uri=tracker.url)
        [logger] = subject.loggers(spec, JobFolder(tmp_path, 1))
        logger.log(1, {"loss": 2.0})
        logger.close(failed=True)
        logger.close(failed=False)
        [run] = tracker.runs.values()
        assert (run["status"], run["metrics"]) == ("FAILED", [("loss", 1)])


def test_mlflow_may_be_a_folder(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    spec = reporting(tmp_path, mlflow_uri=(tmp_path / "mlruns").as_uri())
    folder = trained(tmp_path / "job", spec)
    client = MlflowClient(tracking_uri=spec.loggers.mlflow_uri)
    experiment = client.get_experiment_by_name("altiplano")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    history = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")]
    assert history == list(enumerate(small.measured(folder, "loss"), 1))
    assert run.info.status == "FINISHED"


def test_a_tracker_that_is_away_costs_a_line_of_the_log_and_not_the_training(tmp_path: Path) -> None:
    spec = reporting(tmp_path, mlflow_uri="http://127.0.0.1:9")
    folder = trained(tmp_path / "job", spec)
    assert len(small.measured(folder, "loss")) == STEPS
    warnings = [line.split(" ", 2)[2] for line in folder.log_file.read_text().splitlines() if " WARNING " in line]
    assert warnings == ["MLflow gets no metrics any more (MlflowException)"]


def test_tensorboard_files_hold_every_step(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    folder = trained(tmp_path / "job", reporting(tmp_path, tensorboard=True))
    events = EventAccumulator(str(folder.files / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(small.measured(folder, "loss"))


def test_weights_and_biases_keeps_a_run_in_the_folder_while_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is installed where it is wanted")
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = trained(tmp_path / "job", reporting(tmp_path, wandb_project="tuning"))
    assert " WARNING " not in folder.log_file.read_text()
    [file] = (folder.path / "wandb").glob("offline-run-*/*.wandb")
    assert file.stat().st_size > 1000
