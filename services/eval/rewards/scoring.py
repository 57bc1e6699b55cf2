"""Scores the answers of a request by the kind of its reward function, and leaves out what is below the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction, RewardModel
from llamastack.reward_scoring.v1.reward_scoring_pb2 import (
    RewardScoringRequest,
    RewardScoringResponse,
    ScoredDialogGenerations,
    ScoredMessage,
)
from mesh.errors import InvalidField
from services.eval.rewards.answer import Answer, Scorer

MOST_ANSWERS: Final = 65536


class Scoring:
    """Scores by one scorer per kind of reward function, by the names of the contract's fields."""

    def __init__(self, scorers: Mapping[str, Scorer]) -> None:
        """Keep the scorers."""
        self._scorers = dict(scorers)

    async def score(self, request: RewardScoringRequest) -> RewardScoringResponse:
        """Return the answers with their scores, in the order of the request.

        Raises:
            InvalidField: the request does not fit its reward function.
            MeshError: an answer can't be scored.
        """
        reward = request.reward if request.HasField("reward") else _by_model(request.model)
        answers = _answers(request)
        scorer = self._scorers[str(reward.WhichOneof("reward"))]
        scores = iter(await scorer.score(reward, answers) if answers else [])
        least = request.threshold if request.HasField("threshold") else None
        return RewardScoringResponse(
            scored_generations=[
                ScoredDialogGenerations(
                    dialog=each.dialog,
                    scored_generations=[
                        ScoredMessage(message=message, score=score.value, explanation=score.explanation)
                        for message, score in zip(each.sampled_generations, scores, strict=False)
                        if least is None or score.value >= least
                    ],
                )
                for each in request.dialog_generations
            ]
        )


def _by_model(model: str) -> RewardFunction:
    return RewardFunction(reward_model=RewardModel(model=model))


def _answers(request: RewardScoringRequest) -> Sequence[Answer]:
    count = sum(len(each.sampled_generations) for each in request.dialog_generations)
    if count > MOST_ANSWERS:
        raise InvalidField("dialog_generations", f"at most {MOST_ANSWERS} answers in all")
    return [
        Answer(
            dialog=each.dialog,
            message=message,
            reference=each.reference if each.HasField("reference") else None,
            path=f"dialog_generations[{position}]",
        )
        for position, each in enumerate(request.dialog_generations)
        for message in each.sampled_generations
    ]
