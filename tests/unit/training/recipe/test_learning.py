"""Each recipe learns: held-out loss falls, margins widen, rewards rise; adapters leave their base as it was."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from services.training.recipe.spec import Adapter, Kind, Loop, Optimizer, Preference, Reinforcement
from tests.unit.training.recipe import small

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    """Keep to one thread: the models are so small that more get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Return the loss on held-out rows before anything was learnt."""
    folder = tmp_path_factory.mktemp("before")
    return small.untrained(folder / "job", small.examples(folder), "validation_loss")


def test_full_training_lowers_the_loss_on_rows_it_never_saw(tmp_path: Path, before: float) -> None:
    done = small.train(tmp_path / "job", small.examples(tmp_path))
    assert small.measured(done, "validation_loss")[-1] < before - 1.0
    trained = load_file(done.checkpoints()[-1].path / "model.safetensors")
    base = load_file(Path(small.BASE.source) / "model.safetensors")
    assert any(not torch.equal(trained[name].half(), base[name]) for name in base)


@pytest.mark.parametrize("decomposed", [False, True], ids=["lora", "dora"])
def test_adapters_lower_the_loss_and_leave_the_base_bit_identical(
    tmp_path: Path, before: float, decomposed: bool
) -> None:
    spec = small.examples(tmp_path, adapter=replace(small.LORA, weight_decomposed=decomposed))
    file = Path(small.BASE.source) / "model.safetensors"
    untouched = file.read_bytes()
    frozen: dict[str, Any] = {}

    def look(saved: Any) -> None:
        frozen["seen"] = saved

    done = small.train(tmp_path / "job", spec, saved=look)
    assert small.measured(done, "validation_loss")[-1] < before - 0.5
    assert file.read_bytes() == untouched
    saved = done.checkpoints()[-1]
    assert saved.adapter
    assert frozen["seen"] == saved
    names = set(load_file(saved.path / "adapter_model.safetensors"))
    assert names
    assert all("lora_" in name for name in names)
    assert any("magnitude" in name for name in names) is decomposed
    assert not (saved.path / "model.safetensors").exists()


def test_the_weights_under_adapters_do_not_change_in_memory_either(tmp_path: Path) -> None:
    from services.training.recipe.objectives import Setting, trainer

    spec = small.examples(tmp_path, adapter=small.LORA, validation=None, loop={"iterations": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = trainer(spec, Setting(tmp_path / "out", 1, []))
        fixed = {name: weight.clone() for name, weight in made.model.named_parameters() if "lora_" not in name}
        made.train()
    after = dict(made.model.named_parameters())
    assert fixed
    assert all(torch.equal(after[name], weight) for name, weight in fixed.items())
    assert any(weight.abs().sum() > 0 for name, weight in after.items() if "lora_B" in name)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes does not run here")
def test_adapters_on_a_base_in_4_bits_lower_the_loss(tmp_path: Path) -> None:
    spec = small.examples(tmp_path, adapter=replace(small.LORA, quantized_base=True))
    start = small.untrained(tmp_path / "before", spec, "validation_loss")
    done = small.train(tmp_path / "job", spec)
    assert small.measured(done, "validation_loss")[-1] < start - 0.5


def _pairs(file: Path, words: tuple[str, ...]) -> Any:
    rows = [
        {"prompt": f"Name a colour like {word}:", "chosen": f" {word} it is", "rejected": f" no {word} today"}
        for word in words
    ]
    return small.write(file, rows, prompt="prompt", chosen="chosen", rejected="rejected")


@pytest.mark.parametrize("adapter", [None, small.LORA], ids=["full", "lora"])
def test_preferences_widen_the_margin_of_held_out_pairs(tmp_path: Path, adapter: Adapter | None) -> None:
    spec = small.examples(
        tmp_path,
        kind=Kind.DPO,
        rows=_pairs(tmp_path / "pairs.jsonl", small.LEARNT),
        validation=_pairs(tmp_path / "watched_pairs.jsonl", small.HELD_OUT),
        adapter=adapter,
        optimizer=Optimizer("adamw", 5e-4 if adapter is None else 2e-3, 1e-4, 0.0),
        preference=Preference(beta=0.1, clip=0.0, smoothing=0.0, rejected_weight=1.0),
    )
    start = small.untrained(tmp_path / "before", spec, "validation_margin")
    assert start == pytest.approx(0.0, abs=1e-3)
    done = small.train(tmp_path / "job", spec)
    assert small.measured(done, "validation_margin")[-1] > 0.3
    assert small.measured(done, "validation_accuracy")[-1] == 1.0


def test_rewards_rise_on_a_toy_verifier(tmp_path: Path) -> None:
    rows = small.write(
        tmp_path / "prompts.jsonl", [{"prompt": f"The {word}"} for word in small.LEARNT], prompt="prompt"
    )
    spec = small.examples(
        tmp_path,
        kind=Kind.GRPO,
        rows=rows,
        validation=None,
        optimizer=Optimizer("adamw", 1e-3, 1e-3, 0.0),
        reinforcement=Reinforcement("{}", 8, 8, 1.0, 0.0, 0.2),
    )
    spec = replace(spec, loop=Loop(epochs=0, iterations=16, batch_size=32))

    def vowels(prompts: list[str], completions: list[str], **columns: Any) -> list[float | None]:
        assert len(columns["dialog"]) == len(columns["reference"]) == len(completions)
        return [len(re.findall("[aeiou]", answer)) / max(1, len(answer)) for answer in completions]

    done = small.train(tmp_path / "job", spec, reward=vowels)
    rewards = small.measured(done, "reward")
    assert len(rewards) == 16
    assert sum(rewards[-4:]) / 4 > sum(rewards[:4]) / 4 + 0.1
