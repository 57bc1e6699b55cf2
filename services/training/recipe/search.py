"""A search for better settings by Ray Tune: each trial is a training of its own, the best one's checkpoints are kept.

What trial N tries is determined by the seed and N, and the result of a trial is kept in its folder, so that a search
that is begun anew does not repeat what is done; a trial that was broken off goes on from its last checkpoint.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from ray import tune

from services.training.recipe import spec as recipe
from services.training.recipe.attempts import Attempt, BadSetting
from services.training.recipe.curves import points
from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Search, Spec
from services.training.recipe.trials import tried, value_at

Train = Callable[[Attempt, Spec], None]
_RESULT: Final = "result.json"
_NEXT_TO_NOTHING: Final = {"memory": 1.0}
"""A trial itself only waits; what trains asks for its own cores."""


def search(attempt: Attempt, spec: Spec, train: Train) -> None:
    """Run the trials of a spec, and make the best one's checkpoints and measurements the job's.

    Raises:
        BadSetting: no trial measured what is to be compared, or none could begin.
    """
    wanted = spec.search
    assert wanted is not None
    folder = attempt.open()
    trials = range(wanted.samples)
    place = str(folder.path / "ray")

    def trial(config: dict[str, Any]) -> None:
        _trial(config, train)

    tuner = tune.Tuner(
        tune.with_resources(trial, _NEXT_TO_NOTHING),
        param_space={"attempt": asdict(attempt), "number": tune.grid_search(list(trials))},
        tune_config=tune.TuneConfig(max_concurrent_trials=wanted.concurrent),
        run_config=tune.RunConfig(name=f"search-{attempt.number:02d}", storage_path=place, verbose=0),
    )
    tuner.fit()
    results = {number: found for number in trials if (found := _result(folder, number)) is not None}
    if not results:
        _tell_why(folder, trials)
        raise BadSetting(f"no trial measured {wanted.metric}, so none is the best", "hyperparam_search_config")
    choose = min if wanted.mode == "min" else max
    best = choose(results, key=lambda number: results[number])
    folder.log("INFO", f"trial {best} is the best: {wanted.metric}={results[best]:.6g}")
    _adopt(folder, best)
    _table(folder, spec, wanted, results)


def _trial(config: dict[str, Any], train: Train) -> None:
    """Be one trial."""
    attempt, number = Attempt(**config["attempt"]), config["number"]
    folder = attempt.open()
    spec = recipe.read(folder.spec())
    wanted = spec.search
    assert wanted is not None
    value = _result(folder, number)
    if value is None:
        own = _prepare(folder, number, tried(spec, wanted, number))
        made = own.checkpoints()
        start = made[-1].name if made else None
        train(Attempt(str(own.path), attempt.number, start), recipe.read(own.spec()))
        measured = [value for _, value in points(own.events_file).get(wanted.metric, []) if math.isfinite(value)]
        if not measured:
            return
        value = measured[-1]
        (own.path / _RESULT).write_text(json.dumps(value))
        folder.log("INFO", f"trial {number}: {wanted.metric}={value:.6g}")
    tune.report({wanted.metric: value})


def _prepare(folder: JobFolder, number: int, spec: Spec) -> JobFolder:
    """Make the folder of a trial; it may write as long as the job's attempt may."""
    own = JobFolder(folder.path / "trials" / f"{number:03d}", folder.attempt)
    own.write_spec(recipe.write(replace(spec, job=f"{spec.job} trial {number}")))
    with suppress(FileExistsError):
        os.symlink(folder.path / "fence", own.path / "fence")
    return own


def _result(folder: JobFolder, number: int) -> float | None:
    try:
        return float(json.loads((folder.path / "trials" / f"{number:03d}" / _RESULT).read_text()))
    except FileNotFoundError:
        return None


def _tell_why(folder: JobFolder, trials: Iterable[int]) -> None:
    """Fail as the first trial did that could say why."""
    for number in trials:
        told = JobFolder(folder.path / "trials" / f"{number:03d}").outcome(folder.attempt)
        if told is not None and told.field:
            raise BadSetting(told.message, told.field)


def _adopt(folder: JobFolder, best: int) -> None:
    """Make a trial's checkpoints and measurements the job's; what an attempt before this one adopted stays."""
    folder.check()
    trial = folder.path / "trials" / f"{best:03d}"
    there = len(folder.events_file.read_text().splitlines()) if folder.events_file.exists() else 0
    for line in (trial / "events.jsonl").read_text().splitlines()[there:]:
        event = json.loads(line)
        folder.measured({name: value for name, value in event.items() if name != "attempt"})
    target = folder.path / "checkpoints"
    target.mkdir(exist_ok=True)
    for made in sorted((trial / "checkpoints").iterdir()):
        shutil.copytree(made, target / made.name, dirs_exist_ok=True)
    if (trial / "files").is_dir():
        shutil.copytree(trial / "files", folder.files, dirs_exist_ok=True)


def _table(folder: JobFolder, spec: Spec, wanted: Search, results: dict[int, float]) -> None:
    folder.files.mkdir(parents=True, exist_ok=True)
    names = [dimension.path for dimension in wanted.dimensions]
    with (folder.files / "search.csv").open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["trial", *names, wanted.metric])
        for number, value in sorted(results.items()):
            made = tried(spec, wanted, number)
            writer.writerow([number, *(value_at(made, name) for name in names), value])
