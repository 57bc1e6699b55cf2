"""Whether a reward can be learnt from: asked of the reward scoring service before a job is taken in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final, Protocol

import grpc
import grpc.aio
from google.protobuf import json_format

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from llamastack.reward_scoring.v1.reward_scoring_pb2 import DialogGenerations, RewardScoringRequest
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceStub
from mesh.errors import BackendUnavailable, InvalidField, WrongState, from_rpc
from services.training.dialogs import messages_of
from services.training.recipe.spec import Rows

FIELD: Final = "algorithm_config.reward"
_REFERENCE: Final = "{reference}"
_ANSWER: Final = "0"
_SCORING_S: Final = 120.0
_REFUSALS: Final = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED)


class Rewards(Protocol):
    """Who says what answers are worth."""

    async def check(self, reward: str, rows: Rows) -> None:
        """Make sure that answers to rows can be scored; ``reward`` is a RewardFunction as ProtoJSON.

        Raises:
            InvalidField: the reward can't be read.
            WrongState: the reward needs what is not there.
            BackendUnavailable: who scores can't be reached.
        """
        ...


class RewardScoring:
    """The reward scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = RewardScoringServiceStub(channel)

    async def check(self, reward: str, rows: Rows) -> None:
        """Have one answer to the first row scored; see :class:`Rewards`."""
        asked = await asyncio.to_thread(_first, rows)
        function = json_format.Parse(reward, RewardFunction())
        try:
            await self._stub.Score(
                RewardScoringRequest(dialog_generations=[asked], reward=function), timeout=_SCORING_S
            )
        except grpc.aio.AioRpcError as error:
            told = from_rpc(error)
            if isinstance(told, BackendUnavailable):
                raise told from error
            if told.code is grpc.StatusCode.INVALID_ARGUMENT:
                raise InvalidField(FIELD, f"one that can be scored: {told.message}") from error
            if told.code in _REFUSALS:
                raise WrongState(f"{FIELD}: {told.message}") from error


def compares(reward: str) -> bool:
    """Return whether a reward, a RewardFunction as ProtoJSON, compares answers with right ones."""
    function = json_format.Parse(reward, RewardFunction())
    match function.WhichOneof("reward"):
        case "exact_match":
            return True
        case "regex":
            return _REFERENCE in function.regex.pattern
        case "unit_test":
            return not function.unit_test.HasField("tests") or _REFERENCE in function.unit_test.tests
        case _:
            return False


def _first(rows: Rows) -> DialogGenerations:
    """Return the first row with an answer."""
    with Path(rows.files[0]).open(encoding="utf-8") as file:
        row = json.loads(file.readline())
    prompt = row[rows.parts["prompt"]]
    told = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    said = CompletionMessage(content=Content(text=_ANSWER), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
    reference = row[rows.parts["reference"]] if "reference" in rows.parts else None
    return DialogGenerations(
        dialog=messages_of(told), sampled_generations=[Message(completion=said)], reference=reference
    )
