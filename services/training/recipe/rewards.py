"""What answers are worth, asked of the reward scoring service: every kind that it knows can be learnt from."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio
from google.protobuf import json_format

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, SystemMessage, UserMessage
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from llamastack.reward_scoring.v1.reward_scoring_pb2 import DialogGenerations, RewardScoringRequest
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceStub
from mesh.auth.config import AuthConfig
from mesh.client import Client
from mesh.config import load
from mesh.errors import BackendUnavailable, MeshError, from_rpc
from mesh.identity import Identity, acting_as
from services.training.config import PeerConfig
from services.training.recipe.attempts import BadSetting
from services.training.recipe.objectives import Reward
from services.training.recipe.spec import Spec

_AWAY_S: Final = 600.0
_PAUSE_S: Final = 5.0


class RewardFailed(BadSetting):
    """The service would not score; the message is its own and meant for the client."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "algorithm_config.reward")


@dataclass(frozen=True, slots=True)
class Calls:
    """What calls of other services need of the environment."""

    peers: PeerConfig
    auth: AuthConfig


def reward(spec: Spec) -> Reward:
    """Return what scores answers for a spec: the service that the environment names, asked in the caller's name."""
    assert spec.reinforcement is not None
    assert spec.caller is not None
    function = json_format.Parse(spec.reinforcement.reward, RewardFunction())
    caller = Identity(spec.caller.subject, spec.caller.tenant, frozenset(spec.caller.scopes))
    calls = Calls(load(PeerConfig, os.environ, service="training"), load(AuthConfig, os.environ, service="training"))
    compares = "reference" in spec.rows.parts

    def score(prompts: Sequence[str], completions: Sequence[str], **columns: Any) -> list[float | None]:
        asked = [
            _generations(dialog, answer, reference if compares else None)
            for dialog, answer, reference in zip(columns["dialog"], completions, columns["reference"], strict=True)
        ]
        request = RewardScoringRequest(dialog_generations=asked, reward=function)
        return asyncio.run(_patiently(calls, caller, request))

    return score


async def _patiently(calls: Calls, caller: Identity, request: RewardScoringRequest) -> list[float | None]:
    """Ask the service, again and again while it is away: it may be restarted while a training goes on."""
    until = time.monotonic() + _AWAY_S
    while True:
        try:
            return await _score(calls, caller, request)
        except BackendUnavailable as error:
            if time.monotonic() >= until:
                raise RewardFailed(f"the reward can't be scored: {error.message}") from error
        await asyncio.sleep(_PAUSE_S)


async def _score(calls: Calls, caller: Identity, request: RewardScoringRequest) -> list[float | None]:
    companion = calls.auth.companion("training")
    companions = [] if companion is None else [companion]
    async with Client(calls.peers.calls, companions) as client:
        stub = RewardScoringServiceStub(client.channel(calls.peers.eval))
        try:
            with acting_as(caller):
                response = await stub.Score(request)
        except grpc.aio.AioRpcError as error:
            told: MeshError = from_rpc(error)
            if isinstance(told, BackendUnavailable):
                raise told from error
            raise RewardFailed(f"the reward can't be scored: {told.message}") from error
    return [entry.scored_generations[0].score for entry in response.scored_generations]


def _generations(dialog: str, answer: str, reference: str | None) -> DialogGenerations:
    told = [_message(message) for message in json.loads(dialog)]
    said = CompletionMessage(content=Content(text=answer), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
    made = DialogGenerations(dialog=told, sampled_generations=[Message(completion=said)])
    if reference is not None:
        made.reference = reference
    return made


def _message(message: dict[str, Any]) -> Message:
    content = Content(text=message["content"])
    if message["role"] == "system":
        return Message(system=SystemMessage(content=content))
    if message["role"] == "assistant":
        said = CompletionMessage(content=content, stop_reason=StopReason.STOP_REASON_END_OF_TURN)
        return Message(completion=said)
    return Message(user=UserMessage(content=content))
