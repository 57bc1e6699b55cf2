"""Batches: every item runs on its own, a failed one does not fail the others.

Items go to the engine a bounded number at a time, which keeps its batch full without flooding its queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import MeshError

CONCURRENT_ITEMS = 128

Item = TypeVar("Item")
Outcome = pb.ChatCompletionResponse | MeshError


async def run_batch(
    items: Sequence[Item], answer: Callable[[Item], Awaitable[pb.ChatCompletionResponse]]
) -> AsyncIterator[pb.BatchProgress]:
    """Yield each item's result when it is done, in order of completion; leaving the iterator cancels the rest."""
    queue: asyncio.Queue[tuple[int, Outcome] | asyncio.Task[None]] = asyncio.Queue()
    places = asyncio.Semaphore(CONCURRENT_ITEMS)

    async def one(index: int) -> None:
        async with places:
            try:
                outcome: Outcome = await answer(items[index])
            except MeshError as error:
                outcome = error
            queue.put_nowait((index, outcome))

    tasks = [asyncio.create_task(one(index)) for index in range(len(items))]
    for task in tasks:
        # a defect in one item ends the batch; it is raised below
        task.add_done_callback(
            lambda done: None if done.cancelled() or not done.exception() else queue.put_nowait(done)
        )
    try:
        for done in range(1, len(items) + 1):
            finished = await queue.get()
            if isinstance(finished, asyncio.Task):
                finished.result()
                continue
            index, outcome = finished
            yield _progress(index, outcome, done, len(items))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def collect(progress: AsyncIterator[pb.BatchProgress], total: int) -> pb.BatchCompletionResponse:
    """Return the results in the order of the request."""
    messages = [CompletionMessage(content=Content(text="")) for _ in range(total)]
    response = pb.BatchCompletionResponse()
    async for item in progress:
        if item.HasField("error"):
            response.errors.append(item.error)
            continue
        messages[item.index] = item.response.completion_message
        response.usage.prompt_tokens += item.response.usage.prompt_tokens
        response.usage.completion_tokens += item.response.usage.completion_tokens
        response.usage.cached_tokens += item.response.usage.cached_tokens
    response.completion_message_batch.extend(messages)
    response.errors.sort(key=lambda error: error.index)
    return response


def _progress(index: int, outcome: Outcome, done: int, total: int) -> pb.BatchProgress:
    if isinstance(outcome, MeshError):
        code: int = outcome.code.value[0]
        error = pb.BatchItemError(index=index, code=code, reason=outcome.reason, message=outcome.message)
        return pb.BatchProgress(index=index, error=error, done=done, total=total)
    return pb.BatchProgress(index=index, response=outcome, done=done, total=total)
