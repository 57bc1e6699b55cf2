"""Values of metrics over samples, their uncertainty, and what a difference means.

A metric is a formula over the sums of its samples' statistics, so that a resample needs no more than new sums.
Intervals are those of the percentile bootstrap (Efron and Tibshirani 1993, chapter 13); differences are resampled by
pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU

from services.eval.evaluations.sample import Statistics

Numbers: TypeAlias = npt.NDArray[np.float64]
Formula: TypeAlias = Callable[[Numbers], float]
LOWER_IS_BETTER: Final = ("perplexity", "attack_success_rate", "false_positive_rate")
_BLOCK: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Resampling:
    """How the uncertainty is found: the level of intervals (0 to 1), the number of resamples, the seed."""

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, which is None for fewer than 2 samples."""

    value: float
    low: float | None
    high: float | None
    samples: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Two values over the same samples, the interval of candidate - baseline, and the number of pairs."""

    baseline: float
    candidate: float
    low: float
    high: float
    pairs: int


def lower_is_better(metric: str) -> bool:
    """Return whether less of a metric is better; a part after a colon tells of what it is."""
    return metric.partition(":")[0] in LOWER_IS_BETTER


def estimates(samples: Sequence[Statistics], how: Resampling) -> Mapping[str, Estimate]:
    """Return the value and the interval of every metric that any sample has."""
    return {name: _estimate(name, _column(samples, name), how) for name in _names(samples)}


def differences(pairs: Sequence[tuple[Statistics, Statistics]], how: Resampling) -> Mapping[str, Difference]:
    """Return how the second of each pair differs from the first, by every metric that both have."""
    found = {}
    for name in _names([first for first, _ in pairs]):
        both = [(first[name], second[name]) for first, second in pairs if name in first and name in second]
        both = [pair for pair in both if _counts(name, pair[0]) and _counts(name, pair[1])]
        if both:
            found[name] = _difference(name, np.array([a for a, _ in both]), np.array([b for _, b in both]), how)
    return found


def _names(samples: Sequence[Statistics]) -> Sequence[str]:
    return sorted({name for sample in samples for name in sample})


def _column(samples: Sequence[Statistics], name: str) -> Numbers:
    """Return the statistics of one metric as a matrix, a row per sample that counts."""
    return np.array([sample[name] for sample in samples if name in sample and _counts(name, sample[name])], dtype=float)


def _counts(name: str, numbers: Sequence[float]) -> bool:
    """Return whether a sample counts for a metric; one without weight, a sample without attack say, does not."""
    return name == "bleu" or numbers[1] > 0


def _estimate(name: str, numbers: Numbers, how: Resampling) -> Estimate:
    formula = _formula(name)
    if len(numbers) == 0:
        return Estimate(math.nan, None, None, 0)
    value = formula(numbers.sum(axis=0))
    if len(numbers) < 2:
        return Estimate(value, None, None, len(numbers))
    low, high = _interval([formula(sums) for sums in _resampled(numbers, how)], how)
    return Estimate(value, low, high, len(numbers))


def _difference(name: str, baseline: Numbers, candidate: Numbers, how: Resampling) -> Difference:
    formula, width = _formula(name), baseline.shape[1]
    sums = (baseline.sum(axis=0), candidate.sum(axis=0))
    resampled = _resampled(np.hstack([baseline, candidate]), how)
    low, high = _interval([formula(both[width:]) - formula(both[:width]) for both in resampled], how)
    return Difference(formula(sums[0]), formula(sums[1]), low, high, len(baseline))


def _resampled(numbers: Numbers, how: Resampling) -> Iterator[Numbers]:
    """Yield the sums of each resample; drawing n of n with replacement is drawing how often each is taken."""
    generator, count = np.random.default_rng(how.seed), len(numbers)
    chances = np.full(count, 1 / count)
    block = max(1, _BLOCK // count)
    for start in range(0, how.resamples, block):
        taken = generator.multinomial(count, chances, size=min(block, how.resamples - start))
        yield from taken @ numbers


def _interval(values: Sequence[float], how: Resampling) -> tuple[float, float]:
    outside = (1 - how.confidence) / 2
    low, high = np.quantile(np.array(values), [outside, 1 - outside])
    return float(low), float(high)


def _formula(name: str) -> Formula:
    match name:
        case "bleu":
            return _bleu
        case "perplexity":
            return _perplexity
        case _:
            return _mean


def _mean(sums: Numbers) -> float:
    return float(sums[0] / sums[1])


def _perplexity(sums: Numbers) -> float:
    """Return the perplexity for the sums of negative log-likelihoods (natural logarithm) and of tokens."""
    try:
        return math.exp(sums[0] / sums[1])
    except OverflowError:
        return math.inf


def _bleu(sums: Numbers) -> float:
    whole = [round(number) for number in sums]
    orders = (len(whole) - 2) // 2
    return float(BLEU.compute_bleu(whole[2 : 2 + orders], whole[2 + orders :], whole[0], whole[1], "exp").score)
