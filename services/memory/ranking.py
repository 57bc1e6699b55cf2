"""Orders of results: the merging of two rankings, and results unlike each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from services.memory.store import Hit

_LEAST: Final = 1e-12


def fuse(rankings: Sequence[tuple[float, Sequence[Hit]]], k: int) -> list[Hit]:
    """Merge weighted rankings by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).

    A hit's score is the sum of weight / (k + rank) over the rankings that it is in, ranks from 1. Equal ones are in the
    order of their revisions and positions, so that the answer is the same each time.
    """
    scores: dict[tuple[str, int], float] = {}
    hits: dict[tuple[str, int], Hit] = {}
    for weight, ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            key = (hit.revision, hit.piece.index)
            scores[key] = scores.get(key, 0.0) + weight / (k + rank)
            hits[key] = hit
    order = sorted(scores, key=lambda key: (-scores[key], key))
    return [replace(hits[key], score=scores[key]) for key in order]


def diversify(hits: Sequence[Hit], relevance: Sequence[float], weight: float, most: int) -> list[Hit]:
    """Choose hits by maximal marginal relevance (Carbonell and Goldstein 1998), in the order of their choice.

    Args:
        hits: the candidates, best first, each with its vector.
        relevance: how relevant each is, 1 at best.
        weight: lambda; 1 for relevance alone, 0 for unlikeness alone.
        most: hits to choose at most.
    """
    if not hits:
        return []
    vectors = _unit(np.array([hit.vector for hit in hits], dtype=np.float64))
    relevant = np.asarray(relevance, dtype=np.float64)
    likest = np.full(len(hits), -np.inf)
    left = np.ones(len(hits), dtype=bool)
    chosen: list[Hit] = []
    while len(chosen) < min(most, len(hits)):
        # before the first choice nothing is alike
        unlike = np.where(np.isinf(likest), 0.0, likest)
        worth = np.where(left, weight * relevant - (1 - weight) * unlike, -np.inf)
        best = int(np.argmax(worth))
        left[best] = False
        chosen.append(hits[best])
        likest = np.maximum(likest, vectors @ vectors[best])
    return chosen


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float64] = vectors / np.maximum(lengths, _LEAST)
    return unit
