"""A batch gives every item its result and loses none."""

from __future__ import annotations

import asyncio

import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.error_pb2 import ErrorReason
from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import OutOfRange
from services.inference.batch import CONCURRENT_ITEMS, collect, run_batch


def reply(text: str, prompt: int = 1) -> pb.ChatCompletionResponse:
    message = CompletionMessage(content=Content(text=text))
    return pb.ChatCompletionResponse(
        completion_message=message, usage=pb.Usage(prompt_tokens=prompt, completion_tokens=2)
    )


async def test_results_stand_in_the_order_of_the_request_and_failures_are_named() -> None:
    async def answer(item: str) -> pb.ChatCompletionResponse:
        if item == "long":
            raise OutOfRange("too long")
        return reply(item.upper())

    items = ["a", "long", "b"]
    response = await collect(run_batch(items, answer), len(items))
    assert response == pb.BatchCompletionResponse(
        completion_message_batch=[
            reply("A").completion_message,
            CompletionMessage(content=Content(text="")),
            reply("B").completion_message,
        ],
        errors=[pb.BatchItemError(index=1, code=11, reason=ErrorReason.ERROR_REASON_OUT_OF_RANGE, message="too long")],
        usage=pb.Usage(prompt_tokens=2, completion_tokens=4),
    )


async def test_progress_comes_in_order_of_completion_and_counts() -> None:
    second = asyncio.Event()

    async def answer(item: int) -> pb.ChatCompletionResponse:
        if item == 0:
            await second.wait()
        else:
            second.set()
        return reply(str(item))

    seen = [(item.index, item.done, item.total) async for item in run_batch([0, 1], answer)]
    assert seen == [(1, 1, 2), (0, 2, 2)]


async def test_no_more_items_run_at_once_than_the_engine_is_given() -> None:
    running = most = 0

    async def answer(item: int) -> pb.ChatCompletionResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return reply("x")

    await collect(run_batch(range(CONCURRENT_ITEMS * 3), answer), CONCURRENT_ITEMS * 3)
    assert most == CONCURRENT_ITEMS


async def test_leaving_a_batch_cancels_what_has_not_finished() -> None:
    cancelled = asyncio.Event()

    async def answer(item: int) -> pb.ChatCompletionResponse:
        if item == 0:
            return reply("done")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return reply("never")

    progress = run_batch([0, 1], answer)
    await anext(progress)
    await progress.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert cancelled.is_set()


async def test_a_defect_in_an_item_is_not_swallowed() -> None:
    async def answer(item: int) -> pb.ChatCompletionResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await collect(run_batch([0, 1], answer), 2)
