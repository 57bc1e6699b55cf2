"""The inference service, as shields need it: a guard's words, a classifier's numbers, whether a model is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, StopReason, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest, LabelScores, MessageList, ScoreRequest
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1.models_pb2 import GetModelRequest, ModelState
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.errors import BackendUnavailable, MeshError, ResourceNotFound, WrongState, from_rpc

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Classified:
    """What a classifier says of one text: a probability per label, and how much of the text it read.

    ``tokens`` is the number of tokens that it read, ``whole`` whether those surely are all.
    """

    probabilities: tuple[float, ...]
    labels: tuple[str, ...]
    tokens: int
    whole: bool


class Inference:
    """Calls the inference service as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Call over the channel."""
        self._inference: InferenceServiceAsyncStub = InferenceServiceStub(channel)
        self._models: ModelsServiceAsyncStub = ModelsServiceStub(channel)

    async def answer(self, model: str, text: str, max_tokens: int) -> str:
        """Return a model's most probable answer to one user message without any system section.

        Raises:
            WrongState: the answer did not end within ``max_tokens``.
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        request = ChatCompletionRequest(
            model=model,
            messages=[_user(text)],
            sampling_params=SamplingParams(strategy=SamplingStrategy.SAMPLING_STRATEGY_GREEDY, max_tokens=max_tokens),
            omit_system_section=True,
        )
        try:
            message = (await self._inference.ChatCompletion(request)).completion_message
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        if message.stop_reason == StopReason.STOP_REASON_OUT_OF_TOKENS:
            raise WrongState(f"model {model} gave no answer within {max_tokens} tokens")
        return message.content.text

    async def classify(self, model: str, texts: Sequence[str]) -> list[Classified]:
        """Return what a classifier says of each text; at most 4096 texts.

        Raises:
            WrongState: the model has no classification head of several labels.
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        request = ScoreRequest(model=model, inputs=[MessageList(messages=[_user(text)]) for text in texts])
        try:
            response = await self._inference.Score(request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        if len(response.scores) != len(texts):
            raise BackendUnavailable(f"model {model} did not answer with one score per text")
        return [_classified(model, scores) for scores in response.scores]

    async def obstacle(self, model: str) -> str | None:
        """Return why a model can't be asked now; None when it can."""
        try:
            found = await self._models.GetModel(GetModelRequest(model_id=model))
        except grpc.aio.AioRpcError as error:
            return _reason(model, from_rpc(error))
        return None if found.state == ModelState.MODEL_STATE_READY else f"The model {model} is not ready."


def _reason(model: str, error: MeshError) -> str:
    if isinstance(error, ResourceNotFound):
        return f"The inference service has no model {model}."
    return "The inference service can't be asked now."


def _user(text: str) -> Message:
    return Message(user=UserMessage(content=Content(text=text)))


def _classified(model: str, scores: LabelScores) -> Classified:
    probabilities = tuple(scores.probabilities)
    if len(probabilities) < 2 or not all(map(math.isfinite, probabilities)):
        raise WrongState(f"model {model} does not give a probability per label")
    return Classified(probabilities, tuple(scores.labels), scores.prompt_tokens, not scores.filled_context)
