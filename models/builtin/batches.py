"""Batches of token ids with a weight per target, cut by length so that little is padded.

A pool is a function of seed, phase and index alone, so that a resumed training sees what an unbroken one would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .dialogs import TRAINING, Dialog
from .drills import lookup, passage, repeated
from .skills import draw
from .template import segments
from .tokenizer import token_id

POOL = 3000
LONGEST = 480
FIRST_TOKEN_BONUS = 0.6
Example = tuple[list[int], list[float]]
Batch = tuple[Tensor, Tensor]


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


def encode_dialog(tokenizer: Tokenizer, dialog: Dialog) -> Example:
    """Return ids and target weights of a dialog."""
    ids: list[int] = []
    weights: list[float] = []
    for text, learned in segments(dialog):
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        weights += target_weights(dialog.skill, len(piece)) if learned else [0.0] * len(piece)
    return ids, weights


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
        return [start, *ids], [0.0, *weights]
    if roll < 0.6:
        given, wanted = (tokenizer.encode(text).ids for text in lookup(rng))
        return [start, *given, *wanted, end], [0.0] * (len(given) + 1) + [0.3] * (len(wanted) + 1)
    ids = [start, *tokenizer.encode(passage(rng)).ids, end]
    return ids, [0.1] * len(ids)


def examples(tokenizer: Tokenizer, phase: str, rng: random.Random) -> list[Example]:
    """Return one pool of examples for the phase."""
    if phase == "base":
        return [encode_drill(tokenizer, rng) for _ in range(POOL)]
    made = (encode_dialog(tokenizer, draw(rng, TRAINING)) for _ in range(POOL))
    return [example for example in made if len(example[0]) <= LONGEST]


def collate(group: list[Example], padding: int) -> Batch:
    """Return ids of shape (batch, length) and weights of shape (batch, length - 1)."""
    longest = max(len(ids) for ids, _ in group)
    tokens = torch.full((len(group), longest), padding)
    weights = torch.zeros(len(group), longest)
    for row, (ids, scales) in enumerate(group):
        tokens[row, : len(ids)] = torch.tensor(ids)
        weights[row, : len(scales)] = torch.tensor(scales)
    return tokens, weights[:, 1:].contiguous()


def batches(tokenizer: Tokenizer, phase: str, seed: int, tokens: int, skip: int = 0) -> Iterator[Batch]:
    """Yield batches of about `tokens` padded tokens without end, leaving out the first `skip`."""
    padding = token_id(tokenizer, "<|finetune_right_pad_id|>")
    passed = 0
    pool = 0
    while True:
        rng = random.Random(f"{seed}-{phase}-{pool}")
        ordered = sorted(examples(tokenizer, phase, rng), key=lambda example: len(example[0]))
        groups: list[list[Example]] = [[]]
        for example in ordered:
            if groups[-1] and (len(groups[-1]) + 1) * len(example[0]) > tokens:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        for group in groups:
            passed += 1
            if passed > skip:
                yield collate(group, padding)
        pool += 1
