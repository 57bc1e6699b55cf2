"""Each setting of a training does what its field says, seen in what the training leaves."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from services.training.recipe.curves import points
from services.training.recipe.folder import JobFolder
from services.training.recipe.spec import Adapter, Optimizer, Rows, Spec
from tests.unit.training.recipe import small

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]
ONE_STEP: dict[str, Any] = {"iterations": 1, "evaluation_interval": 1}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    """Keep to one thread: the models are so small that more get in each other's way."""
    torch.set_num_threads(1)


def left(folder: JobFolder) -> dict[str, torch.Tensor]:
    """Return the last weights of a training."""
    saved = folder.checkpoints()[-1]
    return load_file(saved.path / ("adapter_model.safetensors" if saved.adapter else "model.safetensors"))


def alike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float = 1e-6) -> bool:
    """Return whether weights are the same but for rounding."""
    return one.keys() == other.keys() and all(torch.allclose(one[name], other[name], atol=tolerance) for name in one)


@pytest.mark.parametrize(
    ("adapter", "expected"),
    [
        (Adapter(("q_proj",), mlp=False, output=True, rank=4, alpha=12), {"q_proj", "lm_head"}),
        (Adapter((), mlp=True, output=False, rank=2, alpha=2), {"gate_proj", "up_proj", "down_proj"}),
    ],
    ids=["attention-and-output", "feed-forward"],
)
def test_adapters_are_where_and_as_large_as_was_asked(tmp_path: Path, adapter: Adapter, expected: set[str]) -> None:
    done = small.train(tmp_path / "job", small.examples(tmp_path, adapter=adapter, loop=ONE_STEP))
    config = json.loads((done.checkpoints()[-1].path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], set(config["target_modules"])) == (adapter.rank, adapter.alpha, expected)
    weights = left(done)
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in weights} == expected
    assert all(adapter.rank in weight.shape for weight in weights.values())
    # the second factor of an adapter begins with zeros
    assert all(weight.any() for name, weight in weights.items() if "lora_B" in name)


@pytest.mark.parametrize("decomposed", [False, True], ids=["lora", "dora"])
def test_an_adapter_on_the_output_layer_says_what_its_module_says(tmp_path: Path, decomposed: bool) -> None:
    from services.training.recipe import weights

    adapter = Adapter(("q_proj",), mlp=False, output=True, rank=4, alpha=12, weight_decomposed=decomposed)
    preferences = small.preferences(tmp_path, adapter=adapter, loop=ONE_STEP)
    # with adapters turned off it is the reference, from which nothing has gone away before the first step
    assert small.measured(small.train(tmp_path / "job", preferences), "loss") == pytest.approx([0.6931], abs=1e-3)
    model = weights.load(small.BASE, adapter)
    layer = model.get_base_model().lm_head
    torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.1)
    hidden = torch.randn(3, layer.in_features)
    with torch.no_grad():
        assert torch.allclose(hidden @ model.get_output_embeddings().weight.T, layer(hidden), atol=1e-4)
        with model.disable_adapter():
            assert torch.equal(model.get_output_embeddings().weight, layer.get_base_layer().weight)


def test_activations_are_computed_twice_and_the_result_is_the_same(tmp_path: Path) -> None:
    plain = small.examples(tmp_path, loop={"iterations": 2, "evaluation_interval": 2})
    saving = replace(plain, loop=replace(plain.loop, activation_checkpointing=True))
    assert alike(left(small.train(tmp_path / "plain", plain)), left(small.train(tmp_path / "saving", saving)))
    assert [passes(tmp_path / name, spec) for name, spec in (("a", plain), ("b", saving))] == [2, 4]


def passes(folder: Path, spec: Spec) -> int:
    """Return how often the first block is gone through forwards in training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from services.training.recipe.objectives import Setting, trainer

        made = trainer(replace(spec, validation=None), Setting(folder, 1, []))
        count = 0

        def counted(*_: Any) -> None:
            nonlocal count
            count += 1

        made.model.model.layers[0].mlp.register_forward_pre_hook(counted)
        made.train()
    return count


def test_a_batch_may_be_made_of_several_passes(tmp_path: Path) -> None:
    whole = small.examples(tmp_path, loop={"iterations": 2, "evaluation_interval": 2})
    parts = replace(whole, loop=replace(whole.loop, accumulation=2))
    assert alike(left(small.train(tmp_path / "whole", whole)), left(small.train(tmp_path / "parts", parts)), 1e-4)


def test_gradients_are_clipped_and_weights_decay(tmp_path: Path) -> None:
    still = small.examples(tmp_path, optimizer=Optimizer("sgd", 1.0, 1.0, 0.0, max_gradient_norm=1e-9), loop=ONE_STEP)
    clipped = left(small.train(tmp_path / "clipped", still))
    base = {name: weight.float() for name, weight in load_file(Path(small.BASE.source) / "model.safetensors").items()}
    assert alike(clipped, base)
    decaying = replace(still, optimizer=replace(still.optimizer, weight_decay=0.5))
    decayed = left(small.train(tmp_path / "decayed", decaying))
    matrix, norm = "model.layers.0.mlp.up_proj.weight", "model.layers.0.input_layernorm.weight"
    assert torch.allclose(decayed[matrix], base[matrix] / 2, atol=1e-6)
    assert torch.allclose(decayed[norm], base[norm], atol=1e-6)


def test_checkpoints_and_looks_come_at_their_intervals_and_old_ones_go(tmp_path: Path) -> None:
    loop = {"iterations": 7, "checkpoint_interval": 2, "max_checkpoints": 2, "evaluation_interval": 3}
    done = small.train(tmp_path / "job", small.examples(tmp_path, adapter=small.LORA, loop=loop))
    assert [saved.iters for saved in done.checkpoints()] == [6, 7]
    assert [step for step, _ in points(done.events_file)["validation_loss"]] == [3, 6, 7]


def test_without_intervals_each_epoch_ends_with_a_look_and_a_checkpoint(tmp_path: Path) -> None:
    loop = {"iterations": 0, "epochs": 2, "batch_size": 3, "evaluation_interval": None}
    done = small.train(tmp_path / "job", small.examples(tmp_path, adapter=small.LORA, loop=loop))
    # eight rows are three batches of three, the last one smaller
    assert [(saved.iters, saved.epoch) for saved in done.checkpoints()] == [(3, 1), (6, 2)]
    assert [step for step, _ in points(done.events_file)["validation_loss"]] == [3, 6]


def test_the_same_seed_repeats_a_training_and_another_one_does_not(tmp_path: Path) -> None:
    def losses(name: str, seed: int) -> list[float]:
        spec = small.examples(tmp_path, adapter=small.LORA, loop={"iterations": 3, "seed": seed})
        return small.measured(small.train(tmp_path / name, replace(spec, validation=None)), "loss")

    assert losses("one", 7) == losses("again", 7) != losses("other", 8)


def test_only_what_the_assistant_says_is_learnt_unless_all_of_it_is(tmp_path: Path) -> None:
    from services.training.recipe import rows, weights

    tokenizer = weights.tokenizer(small.INSTRUCT)
    found = small.dialogs(tmp_path / "rows.jsonl", small.LEARNT[:1])
    [row] = rows.examples(found, tokenizer, None, assistant_only=True)
    learnt = [token for token in row["labels"] if token != rows.IGNORED]
    assert tokenizer.decode(learnt) == "I say red!<|eot_id|>"
    [whole] = rows.examples(found, tokenizer, None, assistant_only=False)
    assert whole["labels"] == whole["input_ids"] == row["input_ids"]
    [short] = rows.examples(found, tokenizer, len(row["input_ids"]) - 1, assistant_only=True)
    assert short["input_ids"] == row["input_ids"][:-1]
    [completed] = rows.examples(prompted(tmp_path / "prompts.jsonl"), tokenizer, None, assistant_only=True)
    answer = [token for token in completed["labels"] if token != rows.IGNORED]
    assert tokenizer.decode(answer).removesuffix(str(tokenizer.eos_token)) == " Oslo"
    [text] = rows.examples(
        small.write(tmp_path / "texts.jsonl", [{"t": "Oslo"}], text="t"), tokenizer, None, assistant_only=True
    )
    assert text["labels"] == text["input_ids"]


def prompted(file: Path) -> Rows:
    """Write a prompt with its completion."""
    return small.write(file, [{"p": "The capital is", "c": " Oslo"}], prompt="p", completion="c")
