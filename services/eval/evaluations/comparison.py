"""Two jobs over the same rows, sample by sample."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from llamastack.evaluations.v1 import comparison_pb2 as pb
from services.eval.evaluations import messages
from services.eval.evaluations.estimates import Resampling, differences
from services.eval.evaluations.results import Owner, Results
from services.eval.evaluations.sample import Statistics


async def compare(
    results: Results, owners: tuple[Owner, Owner], how: Resampling, most: int
) -> pb.CompareEvaluationJobsResponse:
    """Return how the second job differs from the first, with up to ``most`` sample pairs that differ most."""
    first, second = [await results.statistics(owner) for owner in owners]
    common = sorted(first.keys() & second.keys())
    pairs = [(first[index], second[index]) for index in common]
    found = await asyncio.to_thread(differences, pairs, how)
    answer = pb.CompareEvaluationJobsResponse(
        metrics={name: messages.comparison(name, one) for name, one in found.items()}
    )
    chosen = _differing(first, second)[:most]
    baselines, candidates = [await results.chosen(owner, chosen) for owner in owners]
    for index in chosen:
        one, other = baselines[index], candidates[index]
        shared = one.scores.keys() & other.scores.keys()
        changes = {name: other.scores[name] - one.scores[name] for name in shared}
        answer.samples.append(pb.SamplePair(baseline=one, candidate=other, differences=changes))
    return answer


def _differing(first: Mapping[int, Statistics], second: Mapping[int, Statistics]) -> list[int]:
    """Return the positions of the samples that both scored, those first whose statistics differ most.

    Metrics have scales of their own, so a difference counts relative to the largest of its metric.
    """
    common = sorted(first.keys() & second.keys())
    largest: dict[str, float] = {}
    changes: dict[int, dict[str, float]] = {}
    for index in common:
        one, other = first[index], second[index]
        names = one.keys() & other.keys()
        changes[index] = {name: sum(abs(a - b) for a, b in zip(one[name], other[name], strict=True)) for name in names}
        for name, change in changes[index].items():
            largest[name] = max(change, largest.get(name, 0.0))

    def weight(index: int) -> float:
        return sum(change / largest[name] for name, change in changes[index].items() if largest[name])

    return sorted(common, key=lambda index: (-weight(index), index))
