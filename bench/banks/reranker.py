"""Trains a cross-encoder for ``bench/retrieval.py``: ``python bench/banks/reranker.py FOLDER [--minutes 10]``.

No cross-encoder comes with the project, so this one begins as the project's embedding model and learns from questions
and statements that the built-in model is taught with, and from the beginnings of docstrings and what follows them in
the installed packages: which of several texts belongs to a question. It never sees the corpus that retrieval is
measured over. Minutes on a few cores make a judge of what texts have in common, not one that knows much.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from models.builtin.dialogs import TRAINING
from models.builtin.passages import collection, fact
from models.builtin.phrasing import question
from services.inference.app import builtin_embedding_model

CANDIDATES = 5
BATCH = 8
TOKENS = 64
WORDS = 40
FROZEN_LAYERS = 2
RATE, HEAD_RATE = 1.5e-4, 1e-3
WARM_UP = 20
_LITTLE = re.compile(
    r"(?i)an?|and|are|at|can|do|does|for|how|i|in|is|me|of|on|please|tell|the|to|what|when|where|which|who"
)
_PROSE = re.compile(r"(?!Args|Arguments|Attributes|Example|Note|Parameters|Raises|Returns|See|Yields)[A-Z]")
_MARKUP = re.compile(r"`+|:[a-z:]+:|\*\*")


@dataclass(frozen=True)
class Example:
    """A question, the text that belongs to it, and others that do not."""

    question: str
    texts: Sequence[str]


def docstrings(folder: Path, rng: random.Random, seconds: float) -> Iterator[tuple[str, str, str]]:
    """Yield (package, first sentence, what follows) of docstrings, for so many seconds at most."""
    files = sorted(folder.rglob("*.py"))
    rng.shuffle(files)
    until = time.monotonic() + seconds
    for file in files:
        if time.monotonic() > until:
            return
        try:
            tree = ast.parse(file.read_text())
        except (SyntaxError, ValueError, OSError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                parts = re.split(r"\n\s*\n", ast.get_docstring(node) or "")
                title, body = (_plain(part) for part in (*parts, "", "")[:2])
                if 3 <= len(title.split()) <= 20 and _PROSE.match(body) and len(body.split()) >= 8:
                    yield file.relative_to(folder).parts[0], title.rstrip("."), " ".join(body.split()[:WORDS])


def examples(rng: random.Random) -> list[Example]:
    """Return examples of both kinds, as many of each."""
    found = list(docstrings(Path(sysconfig.get_paths()["purelib"]), rng, 60.0))
    near: dict[str, list[str]] = {}
    for package, _, body in found:
        near.setdefault(package, []).append(body)
    made = []
    for package, title, body in found:
        others = rng.sample(near[package], min(3, len(near[package])))
        others += [rng.choice(found)[2] for _ in range(CANDIDATES)]
        others = [other for other in dict.fromkeys(others) if other != body]
        made.append(Example(_asked(rng, title), [body, *others[: CANDIDATES - 1]]))
    for _ in range(len(made)):
        wanted, facts = collection(rng, TRAINING, (3, 4))
        others = [one.statement for one in facts] + [fact(rng, TRAINING)[0].statement for _ in range(CANDIDATES)]
        asked = question(rng, wanted.direct, wanted.indirect, TRAINING.wording)
        made.append(Example(_shortened(rng, asked), [wanted.statement, *others[: CANDIDATES - 1]]))
    rng.shuffle(made)
    return [one for one in made if len(one.texts) == CANDIDATES]


def train(folder: Path, minutes: float) -> None:
    """Train for so many minutes and write the model into a folder."""
    rng = random.Random(1)
    torch.manual_seed(1)
    data = examples(rng)
    source = str(builtin_embedding_model())
    tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=True)
    model: Any = AutoModelForSequenceClassification.from_pretrained(source, local_files_only=True, num_labels=1)
    frozen = ("bert.embeddings", *(f"bert.encoder.layer.{layer}." for layer in range(FROZEN_LAYERS)))
    head, body = [], []
    for name, weights in model.named_parameters():
        weights.requires_grad_(not name.startswith(frozen))
        if weights.requires_grad:
            (head if name.startswith(("classifier", "bert.pooler")) else body).append(weights)
    rates = [RATE, HEAD_RATE]
    optimizer = torch.optim.AdamW([{"params": body}, {"params": head}], weight_decay=0.01)
    began, step, losses = time.monotonic(), 0, 0.0
    model.train()
    while (done := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / WARM_UP) * (1 - done)
        batch = [data[(step * BATCH + number) % len(data)] for number in range(BATCH)]
        scores = judged(model, tokenizer, batch)
        loss = nn.functional.cross_entropy(scores, torch.zeros(len(batch), dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step, losses = step + 1, losses + loss.item()
        if step % 50 == 0:
            print(f"{step * BATCH} of {len(data)} examples, loss {losses / 50:.3f}, {100 * done:.0f} %", flush=True)
            losses = 0.0
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def judged(model: Any, tokenizer: Any, batch: Sequence[Example]) -> torch.Tensor:
    """Return the model's score of each text, [examples, candidates]."""
    encoded = tokenizer(
        [one.question for one in batch for _ in one.texts],
        [text for one in batch for text in one.texts],
        padding=True,
        truncation=True,
        max_length=TOKENS,
        return_tensors="pt",
    )
    scores: torch.Tensor = model(**encoded).logits.view(len(batch), -1)
    return scores


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub("", text).split())


def _asked(rng: random.Random, title: str) -> str:
    """Return a first sentence as somebody would search for it."""
    roll = rng.random()
    if roll < 0.3:
        return f"How do I {title[:1].lower()}{title[1:]}?"
    return _shortened(rng, title.lower() if roll < 0.6 else title)


def _shortened(rng: random.Random, text: str) -> str:
    """Return a question, now and then without its little words."""
    if rng.random() < 0.7:
        return text
    return " ".join(word for word in text.rstrip("?.").split() if not _LITTLE.fullmatch(word)) or text


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    train(arguments.folder, arguments.minutes)


if __name__ == "__main__":
    main()
