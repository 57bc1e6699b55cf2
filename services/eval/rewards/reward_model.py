"""Scores by a reward model: any finite number, without an explanation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from llamastack.common.v1.message_pb2 import Message
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from services.eval.rewards.abreast import abreast
from services.eval.rewards.answer import Answer, Score

_PER_CALL: Final = 32


class Rewarding(Protocol):
    """Who gives the numbers."""

    async def rewards(self, model: str, conversations: Sequence[Sequence[Message]]) -> list[float]:
        """Return a number for each conversation."""
        ...


class ByRewardModel:
    """Scores by the reward model of a reward function; ``room`` is for calls of the model."""

    def __init__(self, inference: Rewarding, room: asyncio.Semaphore) -> None:
        """Keep whom to ask."""
        self._inference = inference
        self._room = room

    async def score(self, reward: RewardFunction, answers: Sequence[Answer]) -> list[Score]:
        """Return one score per answer; each is scored as the end of its dialog."""
        conversations = [[*answer.dialog, answer.message] for answer in answers]
        some = [conversations[start : start + _PER_CALL] for start in range(0, len(conversations), _PER_CALL)]
        model = reward.reward_model.model
        numbers = await abreast(self._room, lambda part: self._inference.rewards(model, part), some)
        return [Score(number) for part in numbers for number in part]
