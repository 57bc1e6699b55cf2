"""The network learns tokens and where to look, and leaves nothing but a plain Llama."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers
from tokenizers import Tokenizer

from models.builtin.batches import Batch, Example, collate
from models.builtin.checkpoint import export
from models.builtin.model import Decoder, Pointer, Shape, initialize
from models.builtin.pointers import COPIED, KINDS, NOWHERE, QUOTED
from models.builtin.tokenizer import spelling

TOKENIZER = Tokenizer.from_file(str(Path(__file__).parents[3] / "models/builtin/weights/instruct/tokenizer.json"))
SHAPE = Shape(TOKENIZER.get_vocab_size(), hidden_size=256, num_hidden_layers=3, intermediate_size=64)
POINTERS = (Pointer(COPIED, 2, 2, 1.0), Pointer(QUOTED, 2, 0, 0.5))


def decoder(pointers: tuple[Pointer, ...]) -> Decoder:
    model = Decoder(SHAPE, *spelling(TOKENIZER), pointers)
    initialize(model, 3)
    return model


def example() -> Batch:
    """Return one example whose last three tokens are copied from the first ones."""
    weights = [0.0] * 5 + [1.0] * 3
    places = [[NOWHERE] * 8 for _ in range(KINDS)]
    places[COPIED][5:], places[QUOTED][5:] = [0, 1, 2], [3, 3, 3]
    return collate([Example([40, 41, 42, 9, 8, 40, 41, 42], weights, places)], 0)


def losses(model: Decoder, batch: Batch) -> list[float]:
    with torch.no_grad():
        made = model.loss(batch.tokens, batch.weights, batch.places, torch.float32)
    return [float(part) for part in made]


def test_a_pointer_costs_what_its_head_misses_times_its_weight() -> None:
    batch = example()
    model = decoder(POINTERS)
    with torch.no_grad():
        _, scores = model.attended(batch.tokens[:, :-1], model.embedding.table())
        looks = [scores[2][0, head].log_softmax(-1) for head in (2, 0)]
    missed = -sum(float(looks[0][4 + place, place]) for place in range(3)) / 3
    away = -sum(float(looks[1][4 + place, 3]) for place in range(3)) / 3
    plain, *pointed = losses(model, batch)
    assert pointed == pytest.approx([missed, 0.5 * away])
    assert losses(decoder(()), batch) == pytest.approx([plain])


def test_training_moves_the_heads_to_where_they_are_pointed() -> None:
    batch, model = example(), decoder(POINTERS)
    before = losses(model, batch)
    optimizer = torch.optim.AdamW(model.parameters(), 0.003)
    for _ in range(20):
        cost = model.loss(batch.tokens, batch.weights, batch.places, torch.float32).sum()
        cost.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        optimizer.zero_grad()
    assert all(later < 0.3 * earlier for earlier, later in zip(before, losses(model, batch), strict=True))


def test_a_model_with_pointers_is_exported_as_a_plain_llama(tmp_path: Path) -> None:
    model, batch = decoder(POINTERS), example()
    export(model, TOKENIZER, tmp_path)
    found: Any = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    loaded, told = found
    assert type(loaded).__name__ == "LlamaForCausalLM"
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.no_grad():
        table = model.embedding.table()
        wanted = model.logits(model.attended(batch.tokens, table)[0], table)
        made = loaded(batch.tokens).logits
    assert torch.allclose(made, wanted, atol=0.02)
