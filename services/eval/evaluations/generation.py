"""Answers of a model, by batches of the inference service.

A batch that fails as a whole because the service is away or busy is tried again; an item that fails for such a reason
is tried again with a later batch. An item that fails for a reason of its own has that as its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import BackendUnavailable, MeshError, ResourceNotFound, from_rpc

_TRANSIENT: Final = frozenset(
    code.value[0]
    for code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    )
)
_NOT_FOUND: Final = grpc.StatusCode.NOT_FOUND.value[0]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a model is asked: messages, or a text to continue where there are none; and the tools that it may call."""

    messages: Sequence[Message] = ()
    text: str = ""
    tools: Sequence[ToolDefinition] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an item or a batch is tried, and the first pause between; pauses double."""

    tries: int = 8
    pause_s: float = 0.5
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said to an ask by its position, or why it could not."""

    index: int
    message: CompletionMessage | None
    error: str = ""


class Model:
    """A served model as evaluations use it.

    Args:
        stub: the inference service.
        model: the model's id.
        sampling: how tokens are chosen.
        patience: how long the service may be away.
    """

    def __init__(self, stub: Any, model: str, sampling: SamplingParams, patience: Patience | None = None) -> None:
        self._stub = stub
        self.id = model
        self._sampling = sampling
        self._patience = patience or Patience()

    async def answers(self, asks: Sequence[Ask]) -> AsyncGenerator[Answer]:
        """Yield the answer to each ask, in order of completion.

        Raises:
            ResourceNotFound: there is no such model.
            BackendUnavailable: the inference service stayed away for too long.
        """
        waiting = dict(enumerate(asks))
        for attempt in range(self._patience.tries):
            if attempt:
                await self._patience.sleep(self._patience.pause_s * 2 ** (attempt - 1))
            for group in _groups(waiting):
                try:
                    async for answer in self._batch(group):
                        waiting.pop(answer.index, None)
                        yield answer
                except grpc.aio.AioRpcError as error:
                    told = from_rpc(error)
                    if told.code.value[0] not in _TRANSIENT:
                        raise told from error
            if not waiting:
                return
        raise BackendUnavailable("the inference service was away or busy for too long")

    async def prompt_logprobs(self, text: str) -> Sequence[float]:
        """Return the natural logarithm of the probability of each token of a text but the first.

        Raises:
            MeshError: the model can't tell, or the text does not fit its context.
        """
        request = pb.CompletionRequest(
            model=self.id,
            content=Content(text=text),
            sampling_params=SamplingParams(max_tokens=1),
            prompt_logprobs=0,
        )
        answer = await self._patiently(lambda: self._stub.Completion(request))
        return [max(entry.logprobs_by_token.values()) for entry in answer.prompt_logprobs if entry.logprobs_by_token]

    async def prompt_tokens(self, text: str) -> int:
        """Return the number of tokens of a text as the model reads it, the one that begins every text included."""
        request = pb.CompletionRequest(
            model=self.id, content=Content(text=text), sampling_params=SamplingParams(max_tokens=1)
        )
        return int((await self._patiently(lambda: self._stub.Completion(request))).usage.prompt_tokens)

    async def _patiently(self, call: Callable[[], Awaitable[Any]]) -> Any:
        return await patiently(call, self._patience)

    async def _batch(self, group: Sequence[tuple[int, Ask]]) -> AsyncGenerator[Answer]:
        """Yield the answers to asks of one form; items that failed for a while are left out."""
        call = self._call([ask for _, ask in group])
        try:
            async for item in call:
                index = group[item.index][0]
                if item.HasField("response"):
                    yield Answer(index, item.response.completion_message)
                elif item.error.code == _NOT_FOUND:
                    raise ResourceNotFound("model", self.id)
                elif item.error.code not in _TRANSIENT:
                    yield Answer(index, None, item.error.message)
        finally:
            call.cancel()

    def _call(self, asks: Sequence[Ask]) -> Any:
        if asks[0].messages:
            batch = [pb.MessageList(messages=ask.messages) for ask in asks]
            return self._stub.StreamBatchChatCompletion(
                pb.BatchChatCompletionRequest(
                    model=self.id,
                    messages_batch=batch,
                    sampling_params=self._sampling,
                    available_tools=asks[0].tools,
                )
            )
        texts = [Content(text=ask.text) for ask in asks]
        return self._stub.StreamBatchCompletion(
            pb.BatchCompletionRequest(model=self.id, content_batch=texts, sampling_params=self._sampling)
        )


async def patiently(call: Callable[[], Awaitable[Any]], patience: Patience) -> Any:
    """Return what a call answers; it is repeated while the service is away or busy.

    Raises:
        MeshError: what it failed with at last.
    """
    for attempt in range(patience.tries):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            told: MeshError = from_rpc(error)
            if told.code.value[0] not in _TRANSIENT or attempt == patience.tries - 1:
                raise told from error
        await patience.sleep(patience.pause_s * 2**attempt)
    raise BackendUnavailable


def _groups(waiting: dict[int, Ask]) -> Sequence[Sequence[tuple[int, Ask]]]:
    """Return the asks by their form (dialog or text) and their tools, which a batch has in common."""
    groups: dict[tuple[bool, bytes], list[tuple[int, Ask]]] = {}
    for index, ask in waiting.items():
        tools = b"".join(tool.SerializeToString(deterministic=True) for tool in ask.tools)
        groups.setdefault((bool(ask.messages), tools), []).append((index, ask))
    return list(groups.values())


def said(message: CompletionMessage) -> str:
    """Return the text of what a model said."""
    content = message.content
    if content.WhichOneof("content") == "parts":
        return "".join(part.text for part in content.parts.parts)
    return content.text
