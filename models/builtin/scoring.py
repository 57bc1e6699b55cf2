"""Exact match without generating: greedy decoding gives the expected answer if and only if each of its tokens is
the most likely one after the ones before, so one pass over prompt and answer decides a case."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .batches import Example, collate
from .dialogs import UNSEEN_VALUES, UNSEEN_WORDING, Dialog, Side, Tally
from .model import Decoder
from .skills import SKILLS, draw
from .template import prompt, segments
from .tokenizer import token_id

Logits = Callable[[Tensor], Tensor]


def cases(side: Side, count: int, seed: int = 0) -> Iterator[tuple[str, Dialog]]:
    """Yield `count` dialogs of each skill from the given side."""
    for skill in SKILLS:
        rng = random.Random(f"evaluation-{seed}-{skill.name}-{side.wording}")
        for _ in range(count):
            yield skill.name, draw(rng, side, skill)


def tally(logits: Logits, tokenizer: Tokenizer, side: Side, count: int, size: int = 32) -> tuple[Tally, list[Dialog]]:
    """Return the counts per skill and the dialogs that were answered wrongly."""
    padding = token_id(tokenizer, "<|finetune_right_pad_id|>")
    encoded = []
    for name, dialog in cases(side, count):
        given = tokenizer.encode(prompt(dialog), add_special_tokens=False).ids
        wanted = tokenizer.encode(segments(dialog)[-1][0], add_special_tokens=False).ids
        encoded.append((Example(given + wanted, [0.0] * len(given) + [1.0] * len(wanted)), name, dialog))
    encoded.sort(key=lambda entry: len(entry[0].ids))
    result, wrong = Tally(), []
    for start in range(0, len(encoded), size):
        group = encoded[start : start + size]
        batch = collate([example for example, _, _ in group], padding)
        with torch.no_grad():
            best = logits(batch.tokens[:, :-1]).argmax(-1)
        missed = ((best != batch.tokens[:, 1:]) & (batch.weights > 0)).any(dim=1)
        for (_, name, dialog), miss in zip(group, missed.tolist(), strict=True):
            result.add(name, not miss)
            if miss:
                wrong.append(dialog)
    return result, wrong


def table(columns: dict[str, Tally]) -> str:
    """Return a text table with one row per skill and the mean of skills at the end."""
    names = [skill.name for skill in SKILLS]
    lines = [f"{'skill':<14}" + "".join(f"{title:>26}" for title in columns)]
    for name in names:
        cells = (
            f"{100 * tally.right[name] / tally.total[name]:.1f} % of {tally.total[name]}" for tally in columns.values()
        )
        lines.append(f"{name:<14}" + "".join(f"{cell:>26}" for cell in cells))
    means = (sum(tally.right[name] / tally.total[name] for name in names) / len(names) for tally in columns.values())
    lines.append(f"{'mean':<14}" + "".join(f"{100 * mean:>24.1f} %" for mean in means))
    return "\n".join(lines)


def quick_table(model: Decoder, tokenizer: Tokenizer, count: int) -> str:
    """Return the table for a model in training over few cases per skill."""

    def logits(tokens: Tensor) -> Tensor:
        weights = model.embedding.table()
        return model.logits(model.attended(tokens.to(weights.device), weights)[0], weights).float().cpu()

    with torch.no_grad():
        return table(
            {side.wording: tally(logits, tokenizer, side, count)[0] for side in (UNSEEN_VALUES, UNSEEN_WORDING)}
        )
