"""Answers of a model judged by another one, by a rubric; the reward scoring service does the judging."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from llamastack.common.v1.message_pb2 import Message
from llamastack.reward_scoring.v1 import reward_pb2, reward_scoring_pb2
from mesh.errors import BackendUnavailable, MeshError
from services.eval.evaluations.generation import Answer, Model, Patience, patiently, said
from services.eval.evaluations.sample import Outcome, Row
from services.eval.evaluations.scorers import means
from services.eval.evaluations.tasks.answers import Asked, Wording, prepared


class Judge:
    """Gives answers a score.

    Args:
        stub: the reward scoring service.
        reward: who judges and by what rubric.
        patience: how long the service may be away.
    """

    def __init__(self, stub: Any, reward: reward_pb2.JudgeReward, patience: Patience | None = None) -> None:
        self._stub = stub
        self._reward = reward
        self._patience = patience or Patience()

    async def score(self, dialog: Sequence[Message], answer: Message, reference: str | None) -> float:
        """Return what an answer is worth, 0 to 1.

        Raises:
            MeshError: the judge can't tell.
        """
        generations = reward_scoring_pb2.DialogGenerations(
            dialog=dialog, sampled_generations=[answer], reference=reference
        )
        request = reward_scoring_pb2.RewardScoringRequest(
            dialog_generations=[generations], reward=reward_pb2.RewardFunction(judge=self._reward)
        )
        response = await patiently(lambda: self._stub.Score(request), self._patience)
        return float(response.scored_generations[0].scored_generations[0].score)


class Judged:
    """Has a model answer and a judge score the answers."""

    def __init__(self, model: Model, judge: Judge, wording: Wording) -> None:
        """Keep who answers, who judges, and how rows become questions."""
        self._model = model
        self._judge = judge
        self._wording = wording

    async def score(self, rows: Sequence[Row]) -> AsyncGenerator[Outcome]:
        """Yield each row's answer with its score."""
        asked, refused = prepared(rows, self._prepare)
        for outcome in refused:
            yield outcome
        judging: list[asyncio.Task[Outcome]] = []
        try:
            async with aclosing(self._model.answers([item.ask for item in asked])) as answers:
                async for answer in answers:
                    judging.append(asyncio.create_task(self._outcome(asked[answer.index], answer)))
            for done in asyncio.as_completed(judging):
                yield await done
        finally:
            for task in judging:
                task.cancel()
            await asyncio.gather(*judging, return_exceptions=True)

    def _prepare(self, row: Row) -> Asked:
        reference = row.get("reference")
        return Asked(row, self._wording.ask(row), [reference] if isinstance(reference, str) else [])

    async def _outcome(self, asked: Asked, answer: Answer) -> Outcome:
        if answer.message is None:
            return Outcome(asked.row, references=asked.references, error=answer.error)
        text = said(answer.message)
        reference = asked.references[0] if asked.references else None
        try:
            score = await self._judge.score(asked.ask.messages, Message(completion=answer.message), reference)
        except BackendUnavailable:
            raise
        except MeshError as error:
            return Outcome(asked.row, text, asked.references, error=f"the judge could not tell: {error.message}")
        scores, statistics = means({"score": score})
        return Outcome(asked.row, text, asked.references, scores, statistics)
