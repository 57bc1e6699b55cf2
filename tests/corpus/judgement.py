"""The corpus, and how good a ranking of its passages is."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the ids of the passages that answer it."""

    text: str
    relevant: frozenset[str]


def passages() -> dict[str, str]:
    """Return the passages by their ids."""
    lines = (FOLDER / "passages.jsonl").read_text().splitlines()
    return {passage["id"]: passage["text"] for passage in map(json.loads, lines)}


def questions() -> list[Question]:
    """Return the queries."""
    lines = (FOLDER / "queries.jsonl").read_text().splitlines()
    return [Question(one["query"], frozenset(one["relevant"])) for one in map(json.loads, lines)]


def ndcg(found: Sequence[str], relevant: Collection[str], depth: int = 10) -> float:
    """Return the normalized discounted cumulative gain of a ranking, 0 to 1 (Järvelin and Kekäläinen 2002)."""
    gain = sum(1 / log2(rank + 2) for rank, one in enumerate(found[:depth]) if one in relevant)
    return gain / sum(1 / log2(rank + 2) for rank in range(min(depth, len(relevant))))
