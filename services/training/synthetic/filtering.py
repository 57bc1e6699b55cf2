"""Which of the answers to a dialog stay, by their scores.

With scores s_1 ... s_n in the order of sampling, and equal scores staying in that order:

- none: all;
- random: min(k, n) of them, drawn evenly without replacement;
- top_k: the min(k, n) with the highest scores;
- top_p: with q_i = exp(s_i / scale) / sum_j exp(s_j / scale), highest first, the fewest whose q add up to at least p;
- top_k_top_p: top_k, then top_p over what stayed, with q over those alone;
- sigmoid: each on its own with probability 1 / (1 + exp(-(s_i - threshold) / scale)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb

_SCORED: Final = frozenset(
    {
        pb.FILTERING_FUNCTION_TOP_K,
        pb.FILTERING_FUNCTION_TOP_P,
        pb.FILTERING_FUNCTION_TOP_K_TOP_P,
        pb.FILTERING_FUNCTION_SIGMOID,
    }
)
_SLACK: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Filter:
    """A filtering function with its parameters."""

    function: pb.FilteringFunction.ValueType
    k: int = 1
    p: float = 0.9
    threshold: float = 0.0
    scale: float = 1.0

    @property
    def looks_at_scores(self) -> bool:
        """Whether scores make a difference."""
        return self.function in _SCORED

    def kept(self, scores: Sequence[float], random: Random) -> list[int]:
        """Return the positions of the answers that stay, highest score first."""
        ranked = sorted(range(len(scores)), key=lambda index: -scores[index])
        match self.function:
            case pb.FILTERING_FUNCTION_RANDOM:
                drawn = set(random.sample(range(len(scores)), min(self.k, len(scores))))
            case pb.FILTERING_FUNCTION_TOP_K:
                return ranked[: self.k]
            case pb.FILTERING_FUNCTION_TOP_P:
                return self._nucleus(ranked, scores)
            case pb.FILTERING_FUNCTION_TOP_K_TOP_P:
                return self._nucleus(ranked[: self.k], scores)
            case pb.FILTERING_FUNCTION_SIGMOID:
                drawn = {index for index, score in enumerate(scores) if random.random() < self._chance(score)}
            case _:
                return ranked
        return [index for index in ranked if index in drawn]

    def _nucleus(self, ranked: Sequence[int], scores: Sequence[float]) -> list[int]:
        if not ranked:
            return []
        best = scores[ranked[0]]
        # the same q: all exponents are made smaller by the same amount, so that none overflows
        weights = [math.exp((scores[index] - best) / self.scale) for index in ranked]
        enough = self.p * math.fsum(weights) * (1 - _SLACK)
        mass = 0.0
        for count, weight in enumerate(weights, start=1):
            mass += weight
            if mass >= enough:
                return list(ranked[:count])
        return list(ranked)

    def _chance(self, score: float) -> float:
        x = (score - self.threshold) / self.scale
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
