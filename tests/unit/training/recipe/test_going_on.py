"""A training that goes on from a checkpoint ends where an unbroken one does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from services.training.recipe.folder import Superseded
from services.training.recipe.spec import Adapter, Kind, Reinforcement, Spec
from tests.unit.training.recipe import small

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]
LOOP: dict[str, Any] = {"iterations": 5, "batch_size": 3, "checkpoint_interval": 2, "evaluation_interval": None}


def examples(folder: Path, adapter: Adapter | None) -> Spec:
    """Return a training on examples."""
    return small.examples(folder, adapter=adapter, loop=LOOP)


def preferences(folder: Path, adapter: Adapter | None) -> Spec:
    """Return a training on preferences, with a reference beside it."""
    return small.preferences(folder, adapter=adapter, loop=LOOP)


def rewards(folder: Path, adapter: Adapter | None) -> Spec:
    """Return a training on rewards, whose answers are drawn by chance."""
    rows = small.write(folder / "prompts.jsonl", [{"prompt": f"The {word}"} for word in small.LEARNT], prompt="prompt")
    spec = small.examples(folder, kind=Kind.GRPO, rows=rows, validation=None, adapter=adapter, loop=LOOP)
    return replace(spec, reinforcement=Reinforcement("{}", 3, 6, 1.0, 0.04, 0.2))


def quantized(folder: Path, adapter: Adapter | None) -> Spec:
    """Return a training on examples that does not look at others.

    After a look bitsandbytes computes with another layout of its weights, whose last digits differ.
    """
    return replace(examples(folder, adapter), validation=None)


def vowels(prompts: list[str], completions: list[str], **columns: Any) -> list[float | None]:
    """Return the share of vowels of each answer."""
    return [len(re.findall("[aeiou]", answer)) / max(1, len(answer)) for answer in completions]


QUANTIZED = pytest.param(
    quantized,
    replace(small.LORA, quantized_base=True),
    id="examples-qlora",
    marks=pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes does not run here"),
)
ADAPTERS = {"full": None, "lora": small.LORA, "dora": replace(small.LORA, weight_decomposed=True)}
CASES = [
    pytest.param(spec_of, adapter, id=f"{spec_of.__name__}-{name}")
    for spec_of in (examples, preferences, rewards)
    for name, adapter in ADAPTERS.items()
]


@pytest.mark.parametrize(("spec_of", "adapter"), [*CASES, QUANTIZED])
def test_resuming_in_the_middle_of_an_epoch_equals_not_stopping(
    tmp_path: Path, spec_of: Callable[[Path, Adapter | None], Spec], adapter: Adapter | None
) -> None:
    torch.set_num_threads(1)
    spec = spec_of(tmp_path, adapter)
    around = {"reward": vowels} if spec.reinforcement is not None else {}
    unbroken = small.train(tmp_path / "unbroken", spec, **around)
    first = unbroken.checkpoints()[0]
    assert first.iters == 2
    resumed = small.train(tmp_path / "resumed", spec, attempt=2, resume=first.path, **around)
    file = "model.safetensors" if adapter is None else "adapter_model.safetensors"
    one, other = (load_file(done.checkpoints()[-1].path / file) for done in (unbroken, resumed))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert small.measured(resumed, "loss") == pytest.approx(small.measured(unbroken, "loss")[2:], rel=1e-5)
    # what is compared is not what the training began with
    early = load_file(first.path / file)
    assert not all(torch.allclose(one[name], early[name], atol=1e-6) for name in one)


def test_an_attempt_that_was_superseded_stops_and_leaves_no_checkpoint(tmp_path: Path) -> None:
    spec = small.examples(tmp_path, validation=None, loop={"iterations": 4, "checkpoint_interval": 4})
    folder = tmp_path / "job"

    def overtaken() -> None:
        from services.training.recipe import spec as recipe
        from services.training.recipe.folder import JobFolder
        from services.training.recipe.run import Surroundings, run

        made = JobFolder(folder, 1)
        made.write_spec(recipe.write(spec))
        made.fence(2)
        run(spec, made, Surroundings())

    with pytest.raises(Superseded):
        overtaken()
    assert not small.train(folder / "other", replace(spec, validation=None)).checkpoints()[1:]
    assert not (folder / "checkpoints").exists()
