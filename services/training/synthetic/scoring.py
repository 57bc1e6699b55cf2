"""Scoring of answers by the reward scoring service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import grpc.aio

from llamastack.common.v1.message_pb2 import Message
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction, RewardModel
from llamastack.reward_scoring.v1.reward_scoring_pb2 import (
    RewardScoringRequest,
    ScoredDialogGenerations,
    ScoredMessage,
)
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceStub
from mesh.errors import BackendUnavailable, from_rpc
from services.training.synthetic.answers import Draft

if TYPE_CHECKING:
    from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceAsyncStub

_DIALOGS: Final = 4096
_ANSWERS: Final = 4096
_CALL_S: Final = 600.0
"""Seconds for one call: judges and unit tests take their time."""


class Scorer:
    """Asks the reward scoring service, as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel, default_model: str) -> None:
        """``default_model`` scores where a request does not say how; empty for none."""
        self._stub: RewardScoringServiceAsyncStub = RewardScoringServiceStub(channel)
        self._default_model = default_model

    def reward(self, asked: RewardFunction | None) -> RewardFunction | None:
        """Return how answers are scored: what was asked for, else by the default model, None without either."""
        if asked is not None and asked.WhichOneof("reward") is not None:
            return asked
        return RewardFunction(reward_model=RewardModel(model=self._default_model)) if self._default_model else None

    async def score(self, drafts: Sequence[Draft], reward: RewardFunction | None) -> list[ScoredDialogGenerations]:
        """Return the answers of each draft with their scores; all are 0 without a reward.

        Raises:
            MeshError: what the service answers with; BackendUnavailable when it can't be reached.
        """
        if reward is None:
            return [_unscored(made) for made in drafts]
        scored: list[ScoredDialogGenerations] = []
        for several in _calls(drafts):
            with_answers = [made for made in several if made.messages]
            found = iter(await self._score(with_answers, reward) if with_answers else ())
            scored += [next(found) if made.messages else _unscored(made) for made in several]
        return scored

    async def _score(self, drafts: Sequence[Draft], reward: RewardFunction) -> Sequence[ScoredDialogGenerations]:
        request = RewardScoringRequest(
            dialog_generations=[made.generations() for made in drafts],
            model=reward.reward_model.model,
            reward=reward,
        )
        try:
            response = await self._stub.Score(request, timeout=_CALL_S)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        lengths = [len(dialog.scored_generations) for dialog in response.scored_generations]
        if lengths != [len(made.messages) for made in drafts]:
            raise BackendUnavailable("reward scoring did not answer with one score per answer")
        return response.scored_generations


def _calls(drafts: Sequence[Draft]) -> Iterator[list[Draft]]:
    """Yield drafts, as many as one call takes."""
    several: list[Draft] = []
    answers = 0
    for made in drafts:
        if several and (len(several) >= _DIALOGS or answers + len(made.messages) > _ANSWERS):
            yield several
            several, answers = [], 0
        several.append(made)
        answers += len(made.messages)
    if several:
        yield several


def _unscored(made: Draft) -> ScoredDialogGenerations:
    return ScoredDialogGenerations(
        dialog=made.prompt.dialog,
        scored_generations=[ScoredMessage(message=Message(completion=message)) for message in made.messages],
    )
