"""The job that Ray runs: ``python -m services.training.recipe.driver FOLDER ATTEMPT [CHECKPOINT]``.

It has Ray Train run the workers, begins them anew from the last checkpoint when one dies, and writes down how the
attempt ended. What goes wrong in a training itself is not repeated.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.train.v2.api.exceptions import TrainingFailedError

from services.training.recipe.attempts import Attempt, BadSetting
from services.training.recipe.folder import JobFolder, Outcome, Saved, Superseded
from services.training.recipe.spec import Spec, read

WORKER_DEATHS: Final = 3
log = logging.getLogger(__name__)
# read when the packages that train are loaded, which is later; on a cluster elsewhere nobody else says it
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def train(attempt: Attempt, spec: Spec) -> None:
    """Run the workers until the training's end.

    Raises:
        TrainingFailedError: a worker failed, or died more often than is borne.
    """
    folder = attempt.open()
    workers = spec.workers
    resources = {"CPU": workers.cpus, **({"GPU": workers.gpus} if workers.gpus else {})}
    # a lone worker needs no group of processes, and is faster without
    kind = TorchTrainer if workers.count > 1 or spec.loop.shard else DataParallelTrainer
    trainer = kind(
        work,
        train_loop_config={"folder": attempt.folder, "number": attempt.number, "checkpoint": attempt.checkpoint},
        scaling_config=ScalingConfig(
            num_workers=workers.count, use_gpu=workers.gpus > 0, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=f"attempt-{attempt.number:02d}",
            storage_path=str(folder.path / "ray"),
            failure_config=FailureConfig(max_failures=WORKER_DEATHS),
        ),
    )
    trainer.fit()


def work(config: dict[str, Any]) -> None:
    """Be one worker: go on from the last checkpoint of this attempt, else from the one that it was given."""
    attempt = Attempt(**config)
    folder = attempt.open()
    if folder.outcome(attempt.number) is not None:
        return
    context = ray.train.get_context()
    rank = context.get_world_rank()
    try:
        spec = read(folder.spec())
        _train_here(spec, folder, attempt, rank)
    except Superseded:
        return
    except Exception as error:
        if rank == 0 or context.get_world_size() > 1:
            _failed(folder, error)
        raise


def _train_here(spec: Spec, folder: JobFolder, attempt: Attempt, rank: int) -> None:
    # torch and the trainers take seconds to load, and the driver does without them
    import torch

    from services.training.recipe.loggers import loggers
    from services.training.recipe.run import Surroundings, run

    torch.set_num_threads(max(1, int(spec.workers.cpus)))
    resume = last(folder, attempt)
    if rank == 0:
        folder.begun()
    if rank == 0 and resume is not None:
        folder.log("INFO", f"goes on from the checkpoint after step {resume.iters}")
    watching = loggers(spec, folder) if rank == 0 else ()
    around = Surroundings(workers=spec.workers.count, first=rank == 0, loggers=watching, reward=_reward(spec))
    try:
        run(spec, folder, around, None if resume is None else resume.path)
    except Superseded:
        raise
    except Exception:
        for logger in watching:
            logger.close(failed=True)
        raise


def _reward(spec: Spec) -> Any:
    if spec.reinforcement is None:
        return None
    from services.training.recipe.rewards import reward

    return reward(spec)


def last(folder: JobFolder, attempt: Attempt) -> Saved | None:
    """Return the checkpoint to go on from: the attempt's own last one, else the one that it was given."""
    known = folder.checkpoints()
    own = [saved for saved in known if saved.name.startswith(f"{attempt.number:02d}-")]
    found = own or [saved for saved in known if saved.name == attempt.checkpoint]
    return found[-1] if found else None


def _failed(folder: JobFolder, error: BaseException) -> None:
    """Write down why the attempt failed: in the client's words if there are any, else by an id that the log has."""
    if folder.outcome(folder.attempt) is not None:
        return
    number = uuid4().hex[:12]
    expected = isinstance(error, BadSetting)
    outcome = Outcome("failed", "INTERNAL", number)
    if isinstance(error, BadSetting):
        outcome = Outcome("failed", "INVALID_FIELD", str(error), error.field)
    print(f"error {number}", "".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
    with suppress(Superseded):
        folder.log("ERROR", outcome.message if expected else f"an internal error occurred (id {number})")
        folder.end(outcome)


def main(arguments: list[str]) -> int:
    """Return 0 if the training completed or another attempt took over, 1 if it failed."""
    attempt = Attempt(arguments[0], int(arguments[1]), arguments[2] if len(arguments) > 2 else None)
    folder = attempt.open()
    try:
        folder.check()
        spec = read(folder.spec())
        folder.log("INFO", f"attempt {attempt.number} begins")
        ray.init(log_to_driver=False)
        if spec.search is not None:
            from services.training.recipe.search import search

            search(attempt, spec, train)
        else:
            train(attempt, spec)
        if folder.outcome(attempt.number) is not None:
            return 1
        finish(folder, replace(spec, search=None))
        folder.end(Outcome("completed"))
    except Superseded:
        return 0
    except TrainingFailedError as error:
        print(error, file=sys.stderr, flush=True)
        with suppress(Superseded):
            if folder.outcome(attempt.number) is None:
                folder.log("ERROR", "a worker died too often")
                folder.end(Outcome("failed", "BACKEND_UNAVAILABLE", f"a worker died more than {WORKER_DEATHS} times"))
        return 1
    except Exception as error:  # noqa: BLE001 - the edge of the process
        _failed(folder, error)
        return 1
    return 0


def finish(folder: JobFolder, spec: Spec) -> None:
    """Draw the curves and put the configuration beside them."""
    from services.training.recipe.curves import draw

    draw(folder)
    folder.log("INFO", "training is complete")


if __name__ == "__main__":
    # what Ray leaves running is ended with the process
    os._exit(main(sys.argv[1:]))
