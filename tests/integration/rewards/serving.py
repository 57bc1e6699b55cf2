"""Reward scoring of a real app's parts on a real channel, with its peers behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from llamastack.reward_scoring.v1.reward_scoring_pb2 import (
    DialogGenerations,
    RewardScoringRequest,
    ScoredDialogGenerations,
)
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import (
    RewardScoringServiceStub,
    add_RewardScoringServiceServicer_to_server,
)
from llamastack.tools.v1.tools_service_pb2_grpc import add_ToolsServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.errors import MeshError, from_rpc
from mesh.testing import Mesh, mesh_of
from services.eval.app import Rewards
from services.eval.rewards.config import RewardsConfig
from services.eval.rewards.servicer import RewardScoringServicer
from tests.integration.rewards.peers import Interpreter, ScriptedInference, agent, interpreter, scripted_inference, user

if TYPE_CHECKING:
    from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceAsyncStub


@dataclass(frozen=True)
class Served:
    """A running service, and those behind it."""

    mesh: Mesh
    inference: ScriptedInference
    interpreter: Interpreter

    async def score(
        self, dialogs: Sequence[DialogGenerations], reward: RewardFunction | None = None, **terms: Any
    ) -> list[ScoredDialogGenerations]:
        """Score answers."""
        stub: RewardScoringServiceAsyncStub = self.mesh.stub(RewardScoringServiceStub)
        request = RewardScoringRequest(dialog_generations=dialogs, reward=reward, **terms)
        return list((await stub.Score(request)).scored_generations)

    async def values(
        self, reward: RewardFunction, *answers: str, reference: str | None = None
    ) -> list[tuple[float, str]]:
        """Return score and explanation of answers to one dialog."""
        [scored] = await self.score([dialog(*answers, reference=reference)], reward)
        return [(each.score, each.explanation) for each in scored.scored_generations]


def dialog(*answers: str, asked: str = "Well?", reference: str | None = None) -> DialogGenerations:
    """Return a dialog with answers."""
    return DialogGenerations(
        dialog=[user(asked)], sampled_generations=[agent(answer) for answer in answers], reference=reference
    )


@asynccontextmanager
async def serving(config: RewardsConfig | None = None) -> AsyncIterator[Served]:
    """Serve reward scoring."""
    inference, code = scripted_inference(), interpreter()
    behind = {
        add_InferenceServiceServicer_to_server: inference,
        add_ToolsServiceServicer_to_server: code,
    }
    async with mesh_of(behind) as peers, Client(ClientConfig()) as client:
        rewards = Rewards(config or RewardsConfig(agents=peers.address), client, peers.address)
        try:
            services = {add_RewardScoringServiceServicer_to_server: RewardScoringServicer(rewards.scoring)}
            async with mesh_of(services) as mesh:
                yield Served(mesh, inference, code)
        finally:
            await rewards.close()


async def refused(call: Any) -> MeshError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)
