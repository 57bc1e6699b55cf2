"""Scores of a real reward model: a classifier with random weights, served by the inference service."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamastack.models.v1.models_pb2 import MODEL_KIND_REWARD, RegisterModelRequest
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from llamastack.reward_scoring.v1.reward_scoring_pb2 import RewardScoringRequest
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import (
    RewardScoringServiceStub,
    add_RewardScoringServiceServicer_to_server,
)
from mesh.client import Client, ClientConfig
from mesh.testing import mesh_of
from services.eval.app import Rewards
from services.eval.rewards.config import RewardsConfig
from services.eval.rewards.servicer import RewardScoringServicer
from tests.cross_encoder import make_cross_encoder
from tests.integration.rewards.serving import dialog
from tests.integration.safety.apps import inference

pytestmark = pytest.mark.timeout(240)

ANSWERS = ("the cat sleeps on the warm red roof", "a dog runs", "goldfish swim in a bowl")


async def test_the_score_of_an_answer_is_the_output_of_the_served_model(tmp_path: Path) -> None:
    import torch

    model, tokenizer = make_cross_encoder(tmp_path / "model")
    with torch.inference_mode():
        wanted = [model(**tokenizer("red roof", text, return_tensors="pt")).logits[0, 0].item() for text in ANSWERS]
    async with inference(tmp_path / "inference", MODEL="") as models, Client(ClientConfig()) as client:
        source = str(tmp_path / "model")
        registration = RegisterModelRequest(model_id="reward", source=source, kind=MODEL_KIND_REWARD)
        await ModelsServiceStub(client.channel(models)).RegisterModel(registration, timeout=120)
        rewards = Rewards(RewardsConfig(), client, models)
        services = {add_RewardScoringServiceServicer_to_server: RewardScoringServicer(rewards.scoring)}
        async with mesh_of(services) as mesh:
            request = RewardScoringRequest(dialog_generations=[dialog(*ANSWERS, asked="red roof")], model="reward")
            [scored] = (await mesh.stub(RewardScoringServiceStub).Score(request)).scored_generations
        await rewards.close()
    assert [one.score for one in scored.scored_generations] == pytest.approx(wanted, abs=1e-4)
    assert len(set(wanted)) == len(ANSWERS)
