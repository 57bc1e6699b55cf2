"""Which answers stay, against the formulae."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb
from services.training.synthetic.filtering import Filter

SCORES = [1.0, 3.0, 2.0, 3.0, -1.0]


def kept(scores: list[float], name: str, seed: int = 0, **params: float) -> list[int]:
    function = pb.FilteringFunction.Value(f"FILTERING_FUNCTION_{name}")
    return Filter(function, **params).kept(scores, Random(seed))  # type: ignore[arg-type]  # k is an integer


def test_none_keeps_all_highest_score_first_and_equal_ones_in_the_order_of_sampling() -> None:
    assert kept(SCORES, "NONE") == [1, 3, 2, 0, 4]


@pytest.mark.parametrize(("k", "expected"), [(1, [1]), (2, [1, 3]), (3, [1, 3, 2]), (9, [1, 3, 2, 0, 4])])
def test_top_k_keeps_the_best(k: int, expected: list[int]) -> None:
    assert kept(SCORES, "TOP_K", k=k) == expected


@pytest.mark.parametrize("p", [0.05, 0.3, 0.47, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_top_p_keeps_the_fewest_whose_probabilities_reach_p(p: float, scale: float) -> None:
    total = sum(math.exp(score / scale) for score in SCORES)
    ranked = [1, 3, 2, 0, 4]
    masses = [sum(math.exp(SCORES[index] / scale) for index in ranked[: n + 1]) / total for n in range(5)]
    count = next((n for n, mass in enumerate(masses, start=1) if mass >= p - 1e-9), 5)
    assert kept(SCORES, "TOP_P", p=p, scale=scale) == ranked[:count]


def test_top_p_bears_scores_that_no_exponential_does() -> None:
    assert kept([1e6, -1e6, 1e6 - 1], "TOP_P", p=0.9) == [0, 2]


def test_top_k_top_p_looks_at_what_top_k_left() -> None:
    # of the two best, each has one half
    assert kept(SCORES, "TOP_K_TOP_P", k=2, p=0.5) == [1]
    assert kept(SCORES, "TOP_K_TOP_P", k=2, p=0.51) == [1, 3]
    assert kept(SCORES, "TOP_P", p=0.51) == [1, 3]
    assert kept([0.0, 0.0, 0.0, 0.0], "TOP_K_TOP_P", k=3, p=0.5) == [0, 1]


def test_random_draws_evenly_without_replacement() -> None:
    drawn = Counter(index for seed in range(3000) for index in kept(SCORES, "RANDOM", seed, k=2))
    assert all(abs(drawn[index] / 3000 - 2 / 5) < 0.04 for index in range(5))
    assert sorted(kept(SCORES, "RANDOM", k=9)) == [0, 1, 2, 3, 4]
    assert kept(SCORES, "RANDOM", 7, k=2) == kept(SCORES, "RANDOM", 7, k=2)


def test_the_sigmoid_is_the_chance_of_each_answer() -> None:
    drawn = Counter(index for seed in range(3000) for index in kept(SCORES, "SIGMOID", seed, threshold=2.0, scale=0.5))
    for index, score in enumerate(SCORES):
        assert abs(drawn[index] / 3000 - 1 / (1 + math.exp(-(score - 2.0) / 0.5))) < 0.04
    assert kept([1e9, -1e9], "SIGMOID") == [0]


@pytest.mark.parametrize("name", ["NONE", "RANDOM", "TOP_K", "TOP_P", "TOP_K_TOP_P", "SIGMOID"])
def test_of_nothing_nothing_stays(name: str) -> None:
    assert kept([], name) == []
