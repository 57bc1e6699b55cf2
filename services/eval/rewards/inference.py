"""The inference service, as reward scoring needs it: a reward model's numbers and a judge's words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc.aio

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, SystemMessage, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest, MessageList, ScoreRequest
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from mesh.errors import BackendUnavailable, WrongState, from_rpc

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub


class Inference:
    """Calls the inference service as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Call over the channel."""
        self._stub: InferenceServiceAsyncStub = InferenceServiceStub(channel)

    async def rewards(self, model: str, conversations: Sequence[Sequence[Message]]) -> list[float]:
        """Return a reward model's number for each conversation; at most 4096.

        Raises:
            WrongState: the model does not give one finite number per conversation.
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        request = ScoreRequest(model=model, inputs=[MessageList(messages=each) for each in conversations])
        try:
            response = await self._stub.Score(request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        if len(response.scores) != len(conversations):
            raise BackendUnavailable(f"model {model} did not answer with one score per conversation")
        if any(len(each.logits) != 1 or not math.isfinite(each.logits[0]) for each in response.scores):
            raise WrongState(f"model {model} is no reward model: it does not give one number per conversation")
        return [each.logits[0] for each in response.scores]

    async def judgement(self, model: str, instructions: str, question: str, sampling: SamplingParams) -> str:
        """Return a language model's answer to a question under instructions.

        Raises:
            MeshError: what the service answered with; BackendUnavailable when it can't be reached.
        """
        messages = [
            Message(system=SystemMessage(content=Content(text=instructions))),
            Message(user=UserMessage(content=Content(text=question))),
        ]
        request = ChatCompletionRequest(model=model, messages=messages, sampling_params=sampling)
        try:
            return (await self._stub.ChatCompletion(request)).completion_message.content.text
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
