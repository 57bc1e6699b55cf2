"""The inference service as the shields see it, with answers by script, on a real channel."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, UserMessage
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from llamastack.models.v1 import models_pb2 as models
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceServicer
from mesh.errors import OutOfRange, ResourceNotFound

TOKEN_CHARACTERS = 4.0
CONTEXT = 600


class ScriptedInference(InferenceServiceServicer):
    """Says ``says`` to a task; scores a text by ``chances``; a token is four characters, the context 600 tokens.

    The guard's context holds ``holds`` characters.
    """

    def __init__(self) -> None:
        """Begin with a guard that finds nothing."""
        self.says = "safe"
        self.holds = 100_000
        self.stop_reason = StopReason.STOP_REASON_END_OF_TURN
        self.chances: Callable[[str], list[float]] = lambda text: [1.0, 0.0, 0.0]
        self.asked: list[pb.ChatCompletionRequest] = []
        self.scored: list[str] = []
        self.tenants: list[str] = []
        self.gate: asyncio.Event | None = None

    async def ChatCompletion(self, request: pb.ChatCompletionRequest, context: Any) -> pb.ChatCompletionResponse:
        """Say what the script has, after the gate, where there is one."""
        self.asked.append(request)
        if request.model == "none":
            raise ResourceNotFound("model", request.model)
        if len(request.messages[0].user.content.text) > self.holds:
            raise OutOfRange("the prompt does not fit the context")
        if self.gate is not None:
            await self.gate.wait()
        content = Content(text=self.says)
        return pb.ChatCompletionResponse(
            completion_message=CompletionMessage(content=content, stop_reason=self.stop_reason)
        )

    async def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        """Score what fits into the context of each text."""
        return pb.ScoreResponse(scores=[self._scores(item.messages[0].user.content.text) for item in request.inputs])

    def _scores(self, text: str) -> pb.LabelScores:
        self.scored.append(text)
        tokens = min(math.ceil(len(text) / TOKEN_CHARACTERS), CONTEXT)
        return pb.LabelScores(
            probabilities=self.chances(text[: int(CONTEXT * TOKEN_CHARACTERS)]),
            prompt_tokens=tokens,
            filled_context=tokens >= CONTEXT,
        )


class ScriptedModels(ModelsServiceServicer):
    """Knows a guard that is ready and a classifier that is not."""

    async def GetModel(self, request: models.GetModelRequest, context: Any) -> models.Model:
        """Give the model."""
        states = {"guard": models.MODEL_STATE_READY, "classifier": models.MODEL_STATE_LOADING}
        if request.model_id not in states:
            raise ResourceNotFound("model", request.model_id)
        return models.Model(model_id=request.model_id, state=states[request.model_id])


def scripted_inference() -> ScriptedInference:
    """Return one; what it does not define is refused as not served."""
    return ScriptedInference()  # type: ignore[abstract]  # the service's other methods are not called


def scripted_models() -> ScriptedModels:
    """Return one; what it does not define is refused as not served."""
    return ScriptedModels()  # type: ignore[abstract]  # the service's other methods are not called


def user(text: str) -> Message:
    """Return a message of a user."""
    return Message(user=UserMessage(content=Content(text=text)))


def agent(text: str) -> Message:
    """Return a message of the model."""
    return Message(
        completion=CompletionMessage(content=Content(text=text), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
    )
