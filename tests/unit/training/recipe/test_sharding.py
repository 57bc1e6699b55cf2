"""Two processes that shard a model learn what one process learns, and go on from a checkpoint like it."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Optimizer, Spec, Workers
from tests.ports import free_port
from tests.unit.training.recipe import small

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


def work(rank: int, port: int, folder: Path, spec: Spec, attempt: int, resume: Path | None) -> None:
    """Be one of two workers."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    small.train(folder, spec, attempt=attempt, resume=resume, workers=2, first=rank == 0)
    torch.distributed.destroy_process_group()


def together(folder: Path, spec: Spec, *, attempt: int = 1, resume: Path | None = None) -> JobFolder:
    """Run a training in two processes and return its folder."""
    port = free_port()
    context = multiprocessing.get_context("spawn")
    workers: list[Any] = [
        context.Process(target=work, args=(rank, port, folder, spec, attempt, resume)) for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=200)
        if worker.is_alive():
            worker.kill()
            worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    return JobFolder(folder, attempt)


def weights(folder: JobFolder) -> dict[str, torch.Tensor]:
    """Return the last weights of a training."""
    saved = folder.checkpoints()[-1]
    return load_file(saved.path / ("adapter_model.safetensors" if saved.adapter else "model.safetensors"))


def check_alike(folder: Path, alone: Spec, together_as: Spec) -> None:
    """Train alone and together, and together from the middle on, and compare what was learnt."""
    torch.set_num_threads(1)
    one = small.train(folder / "alone", alone)
    two = together(folder / "together", together_as)
    assert small.measured(two, "loss") == pytest.approx(small.measured(one, "loss"), rel=1e-3)
    mine, theirs = weights(one), weights(two)
    assert mine.keys() == theirs.keys()
    assert all(torch.allclose(mine[name], theirs[name], atol=1e-3) for name in mine)
    first = two.checkpoints()[0]
    resumed = together(folder / "resumed", together_as, attempt=2, resume=first.path)
    again = weights(resumed)
    assert all(torch.allclose(theirs[name], again[name], atol=1e-5) for name in again)


LOOP: dict[str, Any] = {"iterations": 4, "batch_size": 4, "checkpoint_interval": 2, "evaluation_interval": 4}


def test_sharding_over_two_processes_learns_what_one_process_learns(tmp_path: Path) -> None:
    alone = small.examples(tmp_path, loop=LOOP)
    sharded = replace(alone, workers=Workers(2), loop=replace(alone.loop, shard=True, offload=True))
    check_alike(tmp_path, alone, sharded)


@pytest.mark.long
@pytest.mark.parametrize("decomposed", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("shard", [False, True], ids=["copied", "sharded"])
def test_adapters_are_trained_by_two_processes_as_by_one(tmp_path: Path, decomposed: bool, shard: bool) -> None:
    alone = small.examples(tmp_path, adapter=replace(small.LORA, weight_decomposed=decomposed), loop=LOOP)
    check_alike(tmp_path, alone, replace(alone, workers=Workers(2), loop=replace(alone.loop, shard=shard)))


@pytest.mark.long
def test_preferences_are_learnt_by_two_processes_as_by_one(tmp_path: Path) -> None:
    alone = small.preferences(tmp_path, optimizer=Optimizer("adamw", 5e-4, 1e-4, 0.0), loop=LOOP)
    sharded = replace(alone.loop, shard=True, activation_checkpointing=True)
    check_alike(tmp_path, alone, replace(alone, workers=Workers(2), loop=sharded))
