"""Sampling of answers from the inference service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc.aio

from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1 import inference_pb2
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.errors import from_rpc
from services.training.synthetic.answers import Answer
from services.training.synthetic.prompts import Prompt

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceAsyncStub

_AT_ONCE: Final = 2
"""Calls under way for one request: one is answered while the next one travels."""
_WAITING: Final = 16
"""Answers that have come and were not taken yet."""


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """How answers are sampled: by which model, how many per prompt, and with which parameters.

    With a seed, sample number j of every prompt has the seed plus j, so that no two samples of a prompt are the same
    draw.
    """

    model: str
    num_samples: int
    params: SamplingParams
    seed: int | None = None


class Sampler:
    """Asks the inference service, as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel, batch: int) -> None:
        """``batch`` is the number of samples per call."""
        self._stub: InferenceServiceAsyncStub = InferenceServiceStub(channel)
        self._models: ModelsServiceAsyncStub = ModelsServiceStub(channel)
        self._batch = batch

    async def check(self, model: str) -> None:
        """See that there is such a model.

        Raises:
            MeshError: what the service answers with: ResourceNotFound without one.
        """
        try:
            await self._models.GetModel(models_pb2.GetModelRequest(model_id=model))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def sample(
        self, prompts: Mapping[int, Prompt], settings: SampleSettings, have: frozenset[tuple[int, int]] = frozenset()
    ) -> AsyncGenerator[Answer]:
        """Yield the samples of prompts, by their positions, in the order of their completion, without those at hand.

        Raises:
            MeshError: what the service answers with; BackendUnavailable when it can't be reached.
        """
        queue = _Line()
        room = asyncio.Semaphore(_AT_ONCE)

        async def ask(batch: Sequence[tuple[int, int]]) -> None:
            async with room:
                await self._ask(batch, prompts, settings, queue)

        async def ask_all() -> None:
            tasks = [asyncio.create_task(ask(batch)) for batch in self._batches(list(prompts), settings, have)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                queue.end()

        asking = asyncio.create_task(ask_all())
        try:
            while (answer := await queue.get()) is not None:
                yield answer
            await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _batches(
        self, prompts: Sequence[int], settings: SampleSettings, have: frozenset[tuple[int, int]]
    ) -> list[list[tuple[int, int]]]:
        """Return the samples to ask for, call by call; with a seed, all of a call are of the same number."""
        numbers = range(settings.num_samples)
        by_number = [[(prompt, number) for prompt in prompts if (prompt, number) not in have] for number in numbers]
        if settings.seed is None:
            by_number = [sorted(pair for pairs in by_number for pair in pairs)]
        return [
            pairs[start : start + self._batch] for pairs in by_number for start in range(0, len(pairs), self._batch)
        ]

    async def _ask(
        self,
        batch: Sequence[tuple[int, int]],
        prompts: Mapping[int, Prompt],
        settings: SampleSettings,
        queue: _Line,
    ) -> None:
        params = SamplingParams()
        params.CopyFrom(settings.params)
        if settings.seed is not None:
            params.seed = (settings.seed + batch[0][1]) % 2**63
        request = inference_pb2.BatchChatCompletionRequest(
            model=settings.model,
            messages_batch=[inference_pb2.MessageList(messages=prompts[prompt].dialog) for prompt, _ in batch],
            sampling_params=params,
        )
        try:
            async for progress in self._stub.StreamBatchChatCompletion(request):
                await queue.put(_answer(batch[progress.index], progress))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error


class _Line:
    """Answers that wait to be taken: a few, so that no more are lost than those when the process dies."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Answer | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_WAITING)

    async def put(self, answer: Answer) -> None:
        await self._room.acquire()
        self._queue.put_nowait(answer)

    def end(self) -> None:
        self._queue.put_nowait(None)

    async def get(self) -> Answer | None:
        answer = await self._queue.get()
        self._room.release()
        return answer


def _answer(which: tuple[int, int], progress: inference_pb2.BatchProgress) -> Answer:
    if progress.WhichOneof("result") != "response":
        return Answer(*which, None)
    return Answer(*which, progress.response.completion_message, progress.response.usage.completion_tokens)
