"""Two processes that shard a model learn what one process learns, and go on from a checkpoint like it."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.fsdp import FSDPModule

from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Adapter, Optimizer, Spec, Workers
from tests.ports import free_port
from tests.unit.training.recipe import small
from tests.unit.training.recipe.test_going_on import preferences, rewards, vowels

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


def work(rank: int, port: int, folder: Path, spec: Spec, attempt: int, resume: Path | None) -> None:
    """Be one of two workers."""
    begin(rank, port)
    reward = vowels if spec.reinforcement is not None else None
    small.train(folder, spec, attempt=attempt, resume=resume, workers=2, first=rank == 0, reward=reward)
    torch.distributed.destroy_process_group()


def begin(rank: int, port: int) -> None:
    """Join the other worker."""
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


def together(folder: Path, spec: Spec, *, attempt: int = 1, resume: Path | None = None) -> JobFolder:
    """Run a training in two processes and return its folder."""
    both(work, folder, spec, attempt, resume)
    return JobFolder(folder, attempt)


def both(target: Callable[..., None], *arguments: Any) -> None:
    """Run two processes to their ends; each is given its rank and their port as well."""
    port = free_port()
    context = multiprocessing.get_context("spawn")
    workers: list[Any] = [context.Process(target=target, args=(rank, port, *arguments)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=200)
        if worker.is_alive():
            worker.kill()
            worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]


def hold(rank: int, port: int, folder: Path, spec: Spec) -> None:
    """Be one of two workers, and write down what it holds of each weight after the training."""
    begin(rank, port)
    from services.training.recipe.objectives import Setting, trainer

    made = trainer(spec, Setting(folder, 2, []))
    made.train()
    held = {
        name: {"mine": weight.to_local().numel(), "all": weight.numel()}
        for name, weight in made.model.named_parameters()
    }
    units = [module for module in made.model.modules() if isinstance(module, FSDPModule)]
    away = [weight.offload_to_cpu for unit in units for weight in unit._get_fsdp_state()._fsdp_param_group.fsdp_params]
    blocks = [type(unit).__name__ for unit in units]
    (folder / f"{rank}.json").write_text(json.dumps({"held": held, "blocks": blocks, "away": sorted(set(away))}))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("offload", [pytest.param(False, marks=pytest.mark.long), True])
def test_each_worker_holds_half_of_every_weight_block_by_block(tmp_path: Path, offload: bool) -> None:
    spec = small.examples(tmp_path, validation=None, loop={**LOOP, "iterations": 1})
    both(hold, tmp_path, replace(spec, workers=Workers(2), loop=replace(spec.loop, shard=True, offload=offload)))
    one, other = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    whole = load_file(Path(small.BASE.source) / "model.safetensors")
    assert sum(weight["all"] for weight in one["held"].values()) == sum(weight.numel() for weight in whole.values())
    for name, mine in one["held"].items():
        assert mine["mine"] + other["held"][name]["mine"] == mine["all"]
        assert abs(mine["mine"] - mine["all"] / 2) <= mine["all"] / 8
    layers = len({name.split(".")[2] for name in whole if name.startswith("model.layers.")})
    assert one["blocks"] == ["FSDPLlamaForCausalLM", *["FSDPLlamaDecoderLayer"] * layers]
    assert one["away"] == [offload]


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


@pytest.mark.long
@pytest.mark.parametrize("spec_of", [preferences, rewards])
def test_two_processes_with_a_reference_go_on_like_an_unbroken_training(
    tmp_path: Path, spec_of: Callable[[Path, Adapter | None], Spec]
) -> None:
    spec = replace(spec_of(tmp_path, small.LORA), workers=Workers(2))
    spec = replace(spec, loop=replace(spec.loop, batch_size=6, iterations=4))
    unbroken = together(tmp_path / "unbroken", spec)
    assert [saved.iters for saved in unbroken.checkpoints()] == [2, 4]
    resumed = together(tmp_path / "resumed", spec, attempt=2, resume=unbroken.checkpoints()[0].path)
    one, other = weights(unbroken), weights(resumed)
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
    assert small.measured(resumed, "loss") == pytest.approx(small.measured(unbroken, "loss")[2:], rel=1e-4, abs=1e-6)
