"""Merging rankings and choosing what is unlike."""

from __future__ import annotations

import pytest

from services.memory.ranking import diversify, fuse
from services.memory.store import Hit, Piece


def hit(name: str, score: float = 0.0, vector: list[float] | None = None) -> Hit:
    return Hit(name, Piece(0, name, 0, len(name), 1), score, vector)


def test_fusion_adds_weight_over_k_plus_rank() -> None:
    fused = fuse([(2.0, [hit("a"), hit("b")]), (1.0, [hit("b"), hit("c")])], 60)
    assert {found.revision: found.score for found in fused} == pytest.approx(
        {"a": 2 / 61, "b": 2 / 62 + 1 / 61, "c": 1 / 62}
    )
    assert [found.revision for found in fused] == ["b", "a", "c"]


def test_equal_scores_are_in_the_same_order_each_time() -> None:
    rankings = [(1.0, [hit("b")]), (1.0, [hit("a")])]
    assert [found.revision for found in fuse(rankings, 60)] == ["a", "b"]


def test_diversity_takes_the_most_relevant_first_and_then_what_is_unlike() -> None:
    hits = [hit("a", 1.0, [1, 0]), hit("b", 0.9, [1, 0.1]), hit("c", 0.5, [0, 1])]
    relevance = [found.score for found in hits]
    assert [found.revision for found in diversify(hits, relevance, 0.5, 2)] == ["a", "c"]
    assert [found.revision for found in diversify(hits, relevance, 1.0, 3)] == ["a", "b", "c"]
    assert diversify([], [], 0.5, 3) == []
