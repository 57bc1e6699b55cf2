"""The unmodified SDK of OpenAI drives chat completions, completions, embeddings and models through the gateway."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types.chat import (
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
)
from pydantic import BaseModel

from mesh.errors import BackendUnavailable, OutOfRange
from services.inference.admission import AdmissionLimits
from services.inference.engine import GuidanceKind
from tests.integration.openai.conftest import Connect
from tests.unit.inference.fakes import EMBEDDING, Answer, ScriptedEngine
from tests.unit.inference.openai.serving import CREATED, WEATHER, call_text, in_pieces

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
TOOLS: list[ChatCompletionFunctionToolParam] = [
    {"type": "function", "function": {"name": "weather", "description": "Tells.", "parameters": WEATHER}}
]
OSLO = {"city": "Oslo"}


def saying(*texts: str) -> ScriptedEngine:
    return ScriptedEngine(answers=[Answer(in_pieces(text)) for text in texts])


async def test_a_chat_completion(connect: Connect) -> None:
    async with connect(saying("Hello there")) as client:
        made = await client.chat.completions.create(model="m", messages=HI)
    assert made.id.startswith("chatcmpl-")
    assert (made.object, made.created, made.model) == ("chat.completion", CREATED, "m")
    choice = made.choices[0]
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    message = choice.message
    assert (message.role, message.content, message.refusal) == ("assistant", "Hello there", None)
    assert message.tool_calls is None
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.total_tokens) == (7, 5, 12)
    assert made.usage.prompt_tokens_details is not None
    assert made.usage.prompt_tokens_details.cached_tokens == 2


async def test_a_streamed_chat_completion(connect: Connect) -> None:
    async with connect(saying("Hello there")) as client:
        stream = await client.chat.completions.create(
            model="m", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "Hello there"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12


async def test_the_helper_for_streams_puts_the_answer_together(connect: Connect) -> None:
    async with (
        connect(saying("Hello there")) as client,
        client.chat.completions.stream(model="m", messages=HI, logprobs=True) as stream,
    ):
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Hello there"
    assert final.choices[0].logprobs is not None
    assert [token.token for token in final.choices[0].logprobs.content or []] == in_pieces("Hello there")


async def test_several_choices_stop_seed_and_the_other_settings(connect: Connect) -> None:
    engine = saying("one", "two")
    async with connect(engine) as client:
        made = await client.chat.completions.create(
            model="m",
            messages=HI,
            n=2,
            stop=["!", "?"],
            seed=3,
            temperature=0.5,
            top_p=0.5,
            max_completion_tokens=5,
            presence_penalty=1,
            frequency_penalty=-1,
            logit_bias={"5": -100},
            user="ann",
        )
    assert [choice.message.content for choice in made.choices] == ["one", "two"]
    sampling = engine.requests[0].sampling
    assert (sampling.n, sampling.stop, sampling.seed, sampling.max_tokens) == (2, ("!", "?"), 3, 5)
    assert (sampling.temperature, sampling.top_p, sampling.logit_bias) == (0.5, 0.5, {5: -100.0})
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (1.0, -1.0)


async def test_log_probabilities(connect: Connect) -> None:
    async with connect(ScriptedEngine(answers=[Answer(["é"])])) as client:
        made = await client.chat.completions.create(model="m", messages=HI, logprobs=True, top_logprobs=2)
    assert made.choices[0].logprobs is not None
    content = made.choices[0].logprobs.content or []
    assert [(token.token, token.logprob, token.bytes) for token in content] == [("é", -0.5, [195, 169])]
    assert [(best.token, best.logprob) for best in content[0].top_logprobs] == [("é", -0.5), ("é1", -1.5)]


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        (openai.omit, False),
        ("auto", False),
        ("required", True),
        ({"type": "function", "function": {"name": "weather"}}, True),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "weather"}}],
                },
            },
            True,
        ),
    ],
)
async def test_tools_are_called_whole_and_streamed(connect: Connect, choice: Any, forced: bool) -> None:
    engine = saying(call_text(**OSLO))
    async with connect(engine) as client:
        made = await client.chat.completions.create(model="m", messages=HI, tools=TOOLS, tool_choice=choice)
        async with client.chat.completions.stream(model="m", messages=HI, tools=TOOLS, tool_choice=choice) as stream:
            async for _ in stream:
                pass
            streamed = await stream.get_final_completion()
    for answer in (made.choices[0], streamed.choices[0]):
        assert (answer.finish_reason, answer.message.content) == ("tool_calls", None)
        (call,) = answer.message.tool_calls or []
        assert isinstance(call, ChatCompletionMessageFunctionToolCall)
        assert (call.type, call.function.name, json.loads(call.function.arguments)) == ("function", "weather", OSLO)
        assert call.id.startswith("call_")
    assert [made.guidance is not None for made in engine.requests] == [forced, forced]


async def test_parallel_calls_and_their_results(connect: Connect) -> None:
    engine = saying(f"{call_text(city='Oslo')}; {call_text(city='Rome')}")
    async with connect(engine) as client:
        first = await client.chat.completions.create(model="m", messages=HI, tools=TOOLS)
        message = first.choices[0].message
        results: list[ChatCompletionMessageParam] = [
            {"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in message.tool_calls or []
        ]
        engine.answers = [Answer(["It rains."])]
        history: list[Any] = [*HI, message, *results]
        second = await client.chat.completions.create(model="m", messages=history, tools=TOOLS)
    assert len(results) == 2
    assert second.choices[0].message.content == "It rains."


async def test_with_the_choice_none_a_call_is_text(connect: Connect) -> None:
    async with connect(saying(call_text(**OSLO))) as client:
        made = await client.chat.completions.create(model="m", messages=HI, tools=TOOLS, tool_choice="none")
    assert made.choices[0].message.content == call_text(**OSLO)
    assert made.choices[0].finish_reason == "stop"


class Person(BaseModel):
    """What an answer is parsed as."""

    name: str
    age: int


async def test_an_answer_of_a_model_class_is_parsed(connect: Connect) -> None:
    engine = saying('{"name": "Ann", "age": 7}')
    async with connect(engine) as client:
        made = await client.chat.completions.parse(model="m", messages=HI, response_format=Person)
    assert made.choices[0].message.parsed == Person(name="Ann", age=7)
    guidance = engine.requests[0].guidance
    assert guidance is not None
    assert guidance.kind is GuidanceKind.JSON_SCHEMA
    assert list(json.loads(guidance.text)["properties"]) == ["name", "age"]


async def test_a_tool_of_a_model_class_is_parsed(connect: Connect) -> None:
    async with connect(saying(call_text("Person", name="Ann", age=7))) as client:
        made = await client.chat.completions.parse(
            model="m", messages=HI, tools=[openai.pydantic_function_tool(Person)], tool_choice="required"
        )
    (call,) = made.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == Person(name="Ann", age=7)


async def test_any_json_object(connect: Connect) -> None:
    engine = saying("{}")
    async with connect(engine) as client:
        made = await client.chat.completions.create(model="m", messages=HI, response_format={"type": "json_object"})
    assert made.choices[0].message.content == "{}"
    assert engine.requests[0].guidance is not None
    assert engine.requests[0].guidance.kind is GuidanceKind.JSON_OBJECT


async def test_completions_whole_and_streamed(connect: Connect) -> None:
    async with connect(saying("x")) as client:
        made = await client.completions.create(model="m", prompt=["a", "b"], n=2, echo=True, logprobs=1)
        stream = await client.completions.create(model="m", prompt=[97, 98], echo=True, stream=True)
        chunks = [chunk async for chunk in stream]
    assert [(choice.index, choice.text, choice.finish_reason) for choice in made.choices] == [
        (0, "ax", "stop"),
        (1, "ax", "stop"),
        (2, "bx", "stop"),
        (3, "bx", "stop"),
    ]
    logprobs = made.choices[0].logprobs
    assert logprobs is not None
    assert (logprobs.tokens, logprobs.token_logprobs, logprobs.text_offset) == (["a", "x"], [None, -0.5], [0, 1])
    assert logprobs.top_logprobs == [None, {"x": -0.5}]
    assert "".join(chunk.choices[0].text for chunk in chunks) == "abx"


async def test_embeddings_as_numbers_and_as_base64(connect: Connect) -> None:
    async with connect(ScriptedEngine(EMBEDDING)) as client:
        by_default = await client.embeddings.create(model="m", input=["one", "two"])
        numbers = await client.embeddings.create(model="m", input=["one", "two"], encoding_format="float")
        tokens = await client.embeddings.create(model="m", input=[[1, 2], [3]])
    expected = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.25]]
    assert [item.embedding for item in by_default.data] == [item.embedding for item in numbers.data] == expected
    assert [item.index for item in tokens.data] == [0, 1]
    assert (by_default.usage.prompt_tokens, by_default.usage.total_tokens) == (6, 6)


async def test_models_are_listed_and_retrieved(connect: Connect) -> None:
    async with connect(ScriptedEngine(), meta__llama=ScriptedEngine()) as client:
        listed = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("meta/llama")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("nope")
    assert listed == ["m", "meta/llama"]
    assert (one.id, one.object, one.created) == ("meta/llama", "model", CREATED)


async def test_a_model_that_does_not_exist(connect: Connect) -> None:
    async with connect(ScriptedEngine()) as client:
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="nope", messages=HI)
    assert (raised.value.code, raised.value.type) == ("model_not_found", "invalid_request_error")


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"top_logprobs": 2}, None),
        ({"messages": [{"role": "nobody", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages[0].tool_call_id"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice.function.name"),
        ({"functions": []}, "functions"),
    ],
)
async def test_a_bad_request_names_the_parameter(connect: Connect, members: dict[str, Any], param: str | None) -> None:
    async with connect(ScriptedEngine()) as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(**({"model": "m", "messages": HI} | members))
    assert raised.value.type == "invalid_request_error"
    assert (raised.value.param or None) == param


async def test_a_prompt_that_does_not_fit(connect: Connect) -> None:
    engine = ScriptedEngine()
    async with connect(engine) as client:
        engine.failure = OutOfRange("the prompt has 9000 tokens and the context holds 4096")
        with pytest.raises(openai.BadRequestError, match="9000 tokens"):
            await client.chat.completions.create(model="m", messages=HI, stream=True)


async def test_a_full_service(connect: Connect) -> None:
    engine = ScriptedEngine(held_open=asyncio.Event())
    async with connect(engine, AdmissionLimits(requests=1)) as client:
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model="m", messages=HI)
        await stream.close()
    assert raised.value.response.headers["retry-after"] == "1"


async def test_tokens_of_a_stream_count_though_nobody_asked_for_its_usage(connect: Connect) -> None:
    async with connect(ScriptedEngine(), AdmissionLimits(tokens_per_minute=1)) as client:
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        chunks = [chunk async for chunk in stream]
        assert all(chunk.choices for chunk in chunks)
        assert [chunk.usage for chunk in chunks if chunk.usage] == []
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model="m", messages=HI)
    assert "tokens per minute" in str(raised.value)
    assert int(raised.value.response.headers["retry-after"]) > 60


async def test_an_engine_that_is_down_and_one_that_dies_meanwhile(connect: Connect) -> None:
    engine = ScriptedEngine()
    async with connect(engine) as client:
        engine.failure = BackendUnavailable("the engine has died", retry_after_s=5.0)
        with pytest.raises(openai.InternalServerError) as down:
            await client.chat.completions.create(model="m", messages=HI)
        engine.fail_after = 1
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        with pytest.raises(openai.APIError, match="the engine has died"):
            async for _ in stream:
                pass
    assert down.value.status_code == 503


async def test_a_client_that_stops_reading_ends_the_generation(connect: Connect) -> None:
    engine = ScriptedEngine(held_open=asyncio.Event())
    async with connect(engine) as client:
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        await stream.close()
        async with asyncio.timeout(10):
            await engine.ended.wait()
    assert engine.aborted == 1
