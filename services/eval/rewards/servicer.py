"""``llamastack.reward_scoring.v1.RewardScoringService`` over the scorers."""

from __future__ import annotations

from typing import Any

from llamastack.reward_scoring.v1 import reward_scoring_pb2 as pb
from llamastack.reward_scoring.v1 import reward_scoring_service_pb2_grpc as grpc_stubs
from services.eval.rewards.scoring import Scoring

Context = Any


class RewardScoringServicer(grpc_stubs.RewardScoringServiceServicer):
    """Says what answers are worth; nothing is kept, so that there is nothing of a tenant's."""

    def __init__(self, scoring: Scoring) -> None:
        """Keep the scorers."""
        self._scoring = scoring

    async def Score(self, request: pb.RewardScoringRequest, context: Context) -> pb.RewardScoringResponse:
        """Score answers to dialogs."""
        return await self._scoring.score(request)
