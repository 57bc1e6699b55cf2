"""The inference service, as turns need it: the next message of a conversation, and what a model can read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import grpc
import grpc.aio

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1.models_pb2 import GetModelRequest
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.errors import BackendUnavailable, from_rpc

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceAsyncStub

_COMPLETE: Final = pb.ChatCompletionResponseEventType.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE
_PROGRESS: Final = pb.ChatCompletionResponseEventType.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS
_SUCCESS: Final = pb.ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_SUCCESS
_FAILURE: Final = pb.ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_FAILURE

_LOOK_S: Final = 5.0


class Model(Protocol):
    """Something that answers conversations."""

    def chat(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionResponseEvent]:
        """Yield the events of an answer; see :meth:`Inference.chat`."""
        ...

    async def is_multimodal(self, model: str) -> bool:
        """Return whether a model reads images."""
        ...

    async def context_length(self, model: str) -> int | None:
        """Return the tokens that a model reads and writes at most; see :meth:`Inference.context_length`."""
        ...


@dataclass(slots=True)
class Answer:
    """A message of the model as it comes together out of the deltas of a stream."""

    _text: list[str] = field(default_factory=list)
    _unread: list[str] = field(default_factory=list)
    _calls: list[ToolCall] = field(default_factory=list)
    _reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED

    def add(self, event: pb.ChatCompletionResponseEvent) -> None:
        """Add an event."""
        if event.delta.WhichOneof("delta") == "tool_call":
            self._add_call(event.delta.tool_call)
        else:
            self._text.append(event.delta.text)
        # the end of the stream does not take back what the end of a call said, unless there was no room for more
        if not self._reason or event.stop_reason == StopReason.STOP_REASON_OUT_OF_TOKENS:
            self._reason = event.stop_reason

    def _add_call(self, delta: pb.ToolCallDelta) -> None:
        if delta.parse_status == _SUCCESS:
            self._calls.append(delta.content.tool_call)
            self._unread.clear()
        elif delta.parse_status == _FAILURE:
            # what can't be read as a call is what the model said
            self._text.extend(self._unread)
            self._unread.clear()
        else:
            self._unread.append(delta.content.text)

    def message(self) -> CompletionMessage:
        """Return the message."""
        reason = self._reason or StopReason.STOP_REASON_END_OF_TURN
        return CompletionMessage(content=Content(text="".join(self._text)), stop_reason=reason, tool_calls=self._calls)


class Inference:
    """Calls the inference service as whoever the turn belongs to."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Keep the channel."""
        self._stub: InferenceServiceAsyncStub = InferenceServiceStub(channel)
        self._models: ModelsServiceAsyncStub = ModelsServiceStub(channel)

    async def chat(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionResponseEvent]:
        """Yield the events of an answer, the last one included.

        Raises:
            MeshError: what the service answered with; BackendUnavailable when it can't be reached or ends too early.
        """
        call = self._stub.StreamChatCompletion(request)
        complete = False
        try:
            async for chunk in call:
                complete = chunk.event.event_type == _COMPLETE
                yield chunk.event
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()
        if not complete:
            raise BackendUnavailable("the inference service ended its answer too early")

    async def is_multimodal(self, model: str) -> bool:
        """Return whether a model reads images.

        Raises:
            MeshError: what the service answered with; ResourceNotFound when there is no such model.
        """
        try:
            return (await self._models.GetModel(GetModelRequest(model_id=model))).multimodal
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def context_length(self, model: str) -> int | None:
        """Return the tokens that a model reads and writes at most; 0 if it has not said, None if nobody can say now."""
        try:
            return (await self._models.GetModel(GetModelRequest(model_id=model), timeout=_LOOK_S)).context_length
        except grpc.aio.AioRpcError as error:
            return 0 if error.code() is grpc.StatusCode.UNIMPLEMENTED else None
