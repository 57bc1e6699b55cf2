"""What becomes of requests that an OpenAI-compatible server refuses, breaks off or never gets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import (
    Message,
    UserMessage,
)
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import (
    BackendUnavailable,
    InvalidField,
    MeshError,
    NotSupported,
    OutOfRange,
    Overloaded,
    ResourceNotFound,
    WrongState,
)
from services.inference.model_spec import ModelSpec
from services.inference.remote.key import Key
from services.inference.remote.openai_model import OpenAIModel
from services.inference.remote.openai_server import http_client
from tests.integration.inference.openai_calls import chat, failed, model_of, text
from tests.integration.inference.openai_site import DONE, Reply, Site, chunk, completion, site

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

SECONDS = 20.0


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"message": "temperature is too high", "param": "temperature"}, InvalidField("temperature", "")),
        (400, {"message": "This model's maximum context length is 10 tokens.", "code": 400}, OutOfRange("")),
        (401, {"message": "Incorrect API key provided: sk-secret"}, WrongState("")),
        (404, {"message": "no such model"}, ResourceNotFound("model", "ours")),
        (429, {"message": "slow down"}, Overloaded()),
        (501, {"message": "not here"}, NotSupported("")),
    ],
)
async def test_refusals_are_errors_of_the_mesh(
    tmp_path: Path, status: int, error: dict[str, Any], expected: MeshError
) -> None:
    reply = Reply({"error": {"type": "x", **error}}, status=status, headers={"retry-after": "60"})
    async with site(reply) as server, model_of(server.url, folder=tmp_path) as stub:
        whole = await failed(stub.ChatCompletion(chat()))
        streamed = await failed(anext(aiter(stub.StreamCompletion(text()))))
    assert [type(whole), type(streamed)] == [type(expected)] * 2
    assert "sk-secret" not in whole.message
    assert whole.retry_after_s == (60.0 if status == 429 else None)


async def test_a_server_that_is_busy_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    busy = Reply({"error": {"message": "busy"}}, status=503, headers={"retry-after": "0"})
    async with (
        site(busy, busy, Reply(completion({"content": "Hello"}))) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        response = await stub.ChatCompletion(chat())
    assert response.completion_message.content.text == "Hello"
    assert len(server.asked("chat/completions")) == 3


async def test_an_answer_that_breaks_off_is_unavailable_and_not_asked_for_again(tmp_path: Path) -> None:
    broken = [chunk({"content": "Hel"})]
    ended_early = [*broken]
    in_stream = [*broken, b'data: {"error": {"message": "engine died", "code": 500}}\n\n', DONE]
    async with (
        site(Reply(events=broken, cut=True), Reply(events=ended_early), Reply(events=in_stream)) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        for count in (1, 2, 3):
            got = []
            call = aiter(stub.StreamChatCompletion(chat()))
            got = [(await anext(call)).event.delta.text for _ in range(2)]
            assert got == ["", "Hel"]
            assert isinstance(await failed(anext(call)), BackendUnavailable)
            assert len(server.asked("chat/completions")) == count


async def test_a_caller_that_goes_away_closes_the_connection(tmp_path: Path) -> None:
    held = Reply(events=[chunk({"content": "Hel"})], hold=asyncio.Event())
    async with site(held) as server, model_of(server.url, folder=tmp_path) as stub:
        call = stub.StreamChatCompletion(chat())
        await anext(aiter(call))
        await anext(aiter(call))
        call.cancel()
        await asyncio.wait_for(server.gone.wait(), SECONDS)


async def test_a_server_that_is_gone_is_replaced_by_another(tmp_path: Path) -> None:
    async with site(Reply(completion({"content": "left"}))) as left:
        async with site(Reply(completion({"content": "right"}))) as right:
            stack = model_of(left.url, right.url, folder=tmp_path)
            stub = await stack.__aenter__()
            both = {await _answer(stub, f"question {number}") for number in range(9)}
        one = {await _answer(stub, f"question {number}") for number in range(9)}
    none = await failed(stub.ChatCompletion(chat()))
    await stack.__aexit__(None, None, None)
    assert (both, one) == ({"left", "right"}, {"left"})
    assert isinstance(none, BackendUnavailable)


async def _answer(stub: InferenceServiceAsyncStub, question: str) -> str:
    response = await stub.ChatCompletion(chat(Message(user=UserMessage(content=Content(text=question)))))
    return str(response.completion_message.content.text)


async def test_the_key_is_shown_to_the_hosts_that_may_see_it_and_to_no_other(tmp_path: Path) -> None:
    async def shown(server: Site, key: Key) -> set[str | None]:
        async with model_of(server.url, folder=tmp_path, key=key) as stub:
            await stub.ChatCompletion(chat())
        return {request.authorization for request in server.requests}

    async with site(Reply(completion({"content": "hi"}))) as server:
        assert await shown(server, Key("secret", ("api.openai.com",))) == {None}
        server.requests.clear()
        assert await shown(server, Key("secret", ("127.0.0.1",))) == {"Bearer secret"}


async def test_what_the_api_can_not_say_is_refused(tmp_path: Path) -> None:
    async with site(Reply(completion({"content": "hi"}))) as server, model_of(server.url, folder=tmp_path) as stub:
        regex = await failed(stub.ChatCompletion(chat(guidance=pb.Guidance(regex="a+"))))
        prompt = await failed(stub.Completion(text(prompt_logprobs=1)))
        inputs = [pb.MessageList(messages=chat().messages)]
        score = await failed(stub.Score(pb.ScoreRequest(model="ours", inputs=inputs)))
    assert [type(error) for error in (regex, prompt, score)] == [NotSupported] * 3
    assert server.asked("chat/completions") == []


async def test_a_server_that_can_not_be_reached_is_told_at_the_registration() -> None:
    async with site(Reply()) as server:
        url = server.url
    model = OpenAIModel(ModelSpec("ours", addresses=(url,)), Key(None, ()), http_client)
    with pytest.raises(BackendUnavailable):
        await model.start()
    await model.stop()
    with pytest.raises(InvalidField):
        OpenAIModel(ModelSpec("ours", addresses=(url, "host:1")), Key(None, ()), http_client)
