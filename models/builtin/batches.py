"""Batches of token ids with a weight per target, cut by length so that little is padded.

A pool is a function of seed, phase and index alone, so that a resumed training sees what an unbroken one would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .dialogs import NOT_FOUND, TRAINING, Dialog
from .drills import lookup, passage, repeated
from .pointers import KINDS, NOWHERE, answer_places, passage_places
from .skills import draw
from .template import CONTEXT_END, segments
from .tokenizer import spelling, token_id

POOL = 3000
LONGEST = 480
FIRST_TOKEN_BONUS = 0.6


@dataclass(frozen=True)
class Example:
    """Token ids with a weight for each as a target, and for each kind of `pointers` where it looks before it comes.

    The places are empty for texts without answers.
    """

    ids: list[int]
    weights: list[float]
    places: list[list[int]] = field(default_factory=lambda: [[] for _ in range(KINDS)])


class Batch(NamedTuple):
    """Ids of shape (batch, length), weights of shape (batch, length - 1), and places of that shape per kind."""

    tokens: Tensor
    weights: Tensor
    places: Tensor


def target_weights(skill: str, length: int) -> list[float]:
    """Return the weights of an answer's tokens.

    An answer counts as the square root of its length, lest the long copies drown the short decisions; its first token
    counts more, because it decides between answer, refusal and tool, and so does the second one over passages, which
    decides for one of the documents; a verdict is nothing but decisions.
    """
    if skill == "guard":
        return [1.0] * length
    weight = float(length**-0.5)
    decisions = 2 if skill.startswith("rag") else 1
    return [weight + FIRST_TOKEN_BONUS] * decisions + [weight] * (length - decisions)


def encode_dialog(tokenizer: Tokenizer, stems: list[int], dialog: Dialog) -> Example:
    """Return a dialog as a training example."""
    ids: list[int] = []
    weights: list[float] = []
    refused: dict[int, int] = {}
    passages_end = NOWHERE
    for text, learned in segments(dialog):
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        if learned and text.startswith(NOT_FOUND):
            refused[len(ids)] = passages_end
        ids += piece
        weights += target_weights(dialog.skill, len(piece)) if learned else [0.0] * len(piece)
        if text.endswith(CONTEXT_END + "<|eot_id|>"):
            passages_end = len(ids) - 2
    answers = [weight > 0 for weight in weights]
    kinds = [stems[token] for token in ids]
    if not dialog.skill.startswith("rag"):
        return Example(ids, weights, answer_places(kinds, answers))
    tokens = [str(tokenizer.id_to_token(token)) for token in ids]
    return Example(ids, weights, passage_places(tokens, kinds, answers, refused))


def encode_drill(tokenizer: Tokenizer, rng: random.Random) -> Example:
    """Return one base-model example; drills only learn the repeated part, passages every token."""
    start, end = token_id(tokenizer, "<|begin_of_text|>"), token_id(tokenizer, "<|end_of_text|>")
    roll = rng.random()
    if roll < 0.2:
        ids = repeated(rng, tokenizer.get_vocab_size() - 9)
        seen: set[int] = set()
        weights = []
        for token in ids:
            weights.append(0.2 if token in seen else 0.0)
            seen.add(token)
        return Example([start, *ids], [0.0, *weights])
    if roll < 0.6:
        given, wanted = (tokenizer.encode(text).ids for text in lookup(rng))
        return Example([start, *given, *wanted, end], [0.0] * (len(given) + 1) + [0.3] * (len(wanted) + 1))
    ids = [start, *tokenizer.encode(passage(rng)).ids, end]
    return Example(ids, [0.1] * len(ids))


def examples(tokenizer: Tokenizer, phase: str, rng: random.Random) -> list[Example]:
    """Return one pool of examples for the phase."""
    if phase == "base":
        return [encode_drill(tokenizer, rng) for _ in range(POOL)]
    stems = spelling(tokenizer)[0].tolist()
    made = (encode_dialog(tokenizer, stems, draw(rng, TRAINING)) for _ in range(POOL))
    return [example for example in made if len(example.ids) <= LONGEST]


def collate(group: list[Example], padding: int) -> Batch:
    """Return examples as one batch, padded to the longest."""
    longest = max(len(example.ids) for example in group)

    def rows(lists: list[list[int]] | list[list[float]], filling: float) -> Tensor:
        return torch.tensor([entry + [filling] * (longest - len(entry)) for entry in lists])

    tokens = rows([example.ids for example in group], padding)
    weights = rows([example.weights for example in group], 0.0)[:, 1:].contiguous()
    places = [rows([example.places[kind] for example in group], NOWHERE)[:, 1:] for kind in range(KINDS)]
    return Batch(tokens, weights, torch.stack(places))


def batches(tokenizer: Tokenizer, phase: str, seed: int, tokens: int, skip: int = 0) -> Iterator[Batch]:
    """Yield batches of about `tokens` padded tokens without end, leaving out the first `skip`."""
    padding = token_id(tokenizer, "<|finetune_right_pad_id|>")
    passed = 0
    pool = 0
    while True:
        rng = random.Random(f"{seed}-{phase}-{pool}")
        ordered = sorted(examples(tokenizer, phase, rng), key=lambda example: len(example.ids))
        groups: list[list[Example]] = [[]]
        for example in ordered:
            if groups[-1] and (len(groups[-1]) + 1) * len(example.ids) > tokens:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        for group in groups:
            passed += 1
            if passed > skip:
                yield collate(group, padding)
        pool += 1
