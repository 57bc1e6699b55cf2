"""Copies one staged run to MLflow: ``python -m services.eval.observability.mlflow_copy FOLDER``.

The folder holds ``run.json``, ``metrics.jsonl`` and the files of artifacts by their ids. Prints ``{"run_id": …}``. What
the copy has already is not copied again; its run is found by the tag ``altiplano.run_id``.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

TAG: Final = "altiplano.run_id"
_STATUS: Final = {"completed": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "scheduled": "SCHEDULED"}
_RUNNING: Final = "RUNNING"
_LONGEST_PARAM: Final = 6000
_LONGEST_TAG: Final = 8000
_BATCH: Final = 500
_ODD: Final = re.compile(r"[^\w\-. /]")


def main(folder: Path) -> None:
    """Copy the run and print its copy's id."""
    # the client prints where to look at a run
    with redirect_stdout(sys.stderr):
        copy = _copied(folder)
    print(json.dumps({"run_id": copy}))


def _copied(folder: Path) -> str:
    """Copy the run and return its copy's id."""
    document = json.loads((folder / "run.json").read_text())
    client = MlflowClient(tracking_uri=document["tracking_uri"])
    run = document["run"]
    copy = _copy_of(client, document["experiment"], run)
    with (folder / "metrics.jsonl").open() as file:
        _metrics(client, copy, map(json.loads, file))
    _parameters(client, copy, run["parameters"])
    for artifact in document["artifacts"]:
        _artifact(client, copy, folder, artifact)
    status = _STATUS.get(run["status"], _RUNNING)
    if run["ended_ms"] is None:
        client.update_run(copy, status)
    else:
        client.set_terminated(copy, status, run["ended_ms"])
    return copy


def _copy_of(client: MlflowClient, name: str, run: Mapping[str, Any]) -> str:
    """Return the id of the run's copy, which is made if there is none."""
    experiment = client.get_experiment_by_name(name)
    where = client.create_experiment(name) if experiment is None else experiment.experiment_id
    found = client.search_runs([where], f"tags.`{TAG}` = '{run['id']}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    return str(
        client.create_run(where, start_time=run["started_ms"], tags={TAG: run["id"]}, run_name=run["id"]).info.run_id
    )


def _metrics(client: MlflowClient, copy: str, metrics: Iterator[dict[str, Any]]) -> None:
    """Copy the measurements that the copy lacks; the last of those that are no numbers becomes a tag."""
    known: dict[str, set[tuple[int, int]]] = {}
    waiting: list[Metric] = []
    for metric in metrics:
        name = _name(metric["name"])
        if metric["value"] is None:
            client.set_tag(copy, name, str(metric["text"])[:_LONGEST_TAG])
            continue
        if name not in known:
            known[name] = {(point.timestamp, point.step) for point in client.get_metric_history(copy, name)}
        if (metric["ms"], metric["step"]) not in known[name]:
            waiting.append(Metric(name, metric["value"], metric["ms"], metric["step"]))
        if len(waiting) == _BATCH:
            client.log_batch(copy, metrics=waiting)
            waiting = []
    client.log_batch(copy, metrics=waiting)


def _parameters(client: MlflowClient, copy: str, parameters: Mapping[str, str]) -> None:
    """Copy what is known about the run: as parameters, which stay, or as tags where they changed since."""
    known = client.get_run(copy).data.params
    named = {_name(name): value[:_LONGEST_PARAM] for name, value in parameters.items()}
    fresh = [Param(name, value) for name, value in named.items() if name not in known]
    changed = [RunTag(name, value) for name, value in named.items() if name in known and known[name] != value]
    for start in range(0, len(fresh), 100):
        client.log_batch(copy, params=fresh[start : start + 100])
    for start in range(0, len(changed), 100):
        client.log_batch(copy, tags=changed[start : start + 100])


def _artifact(client: MlflowClient, copy: str, folder: Path, artifact: Mapping[str, str]) -> None:
    """Copy a file into a folder named by its id, unless the copy has it."""
    if any(found.path == artifact["id"] for found in client.list_artifacts(copy)):
        return
    staged = folder / "named" / artifact["id"]
    staged.mkdir(parents=True)
    name = _ODD.sub("_", artifact["name"]).replace("/", "_").strip(".")[-200:] or "artifact"
    client.log_artifact(copy, str(shutil.move(folder / artifact["id"], staged / name)), artifact_path=artifact["id"])


def _name(name: str) -> str:
    return _ODD.sub("_", name)[:250]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
