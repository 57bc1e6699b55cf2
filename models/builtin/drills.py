"""Texts for the base model before it sees a dialog: repeated random tokens, look-up drills and plain passages."""

from __future__ import annotations

import random

from . import entities
from .dialogs import TRAINING
from .passages import document_id, fact, news, summary


def repeated(rng: random.Random, vocabulary: int) -> list[int]:
    """Return a sequence of random token ids in which a stretch comes twice, sometimes thrice."""
    stretch = [rng.randrange(vocabulary) for _ in range(rng.randrange(8, 40))]
    noise = [rng.randrange(vocabulary) for _ in range(rng.randrange(0, 12))]
    return stretch + noise + stretch + (stretch if rng.random() < 0.3 else [])


def lookup(rng: random.Random) -> tuple[str, str]:
    """Return lines under a query of words from one of them, and that line: matching without any meaning."""
    words = [entities.invented(rng) if rng.random() < 0.4 else entities.invented(rng).lower() for _ in range(24)]
    lines = [
        f"[{document_id(rng)}] " + " ".join(rng.sample(words, rng.randrange(3, 7))) + "."
        for _ in range(rng.randrange(2, 5))
    ]
    wanted = rng.choice(lines)
    inside = wanted.split("] ")[1].rstrip(".").split()
    query = rng.sample(inside, min(len(inside), rng.choice((2, 2, 3))))
    return "? " + " ".join(query) + "\n" + "\n".join(lines) + "\n=", " " + wanted


def passage(rng: random.Random) -> str:
    """Return a plain text: statements on one subject, a text with its summary, or questions with their answers."""
    roll = rng.random()
    if roll < 0.35:
        made, about, _, _ = fact(rng, TRAINING)
        return " ".join([made.statement, *(fact(rng, TRAINING, about)[0].statement for _ in range(3))])
    if roll < 0.6:
        return " ".join(news(rng, TRAINING) for _ in range(rng.randrange(2, 5)))
    if roll < 0.75:
        made_summary = summary(rng, TRAINING)
        return f"{made_summary.messages[0].content}\n{made_summary.answer}"
    made = fact(rng, TRAINING)[0]
    asked = (made.direct if rng.random() < 0.6 else made.indirect).draw(rng, "train")
    return f"{asked}? {made.statement} {news(rng, TRAINING)}"
