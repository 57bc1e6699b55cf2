"""Tools of chat completions: every choice, whole and streamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llamastack.openai.v1 import chat_pb2 as pb
from llamastack.openai.v1.chat_message_pb2 import (
    AssistantMessage,
    ChatCompletionMessage,
    ChatContent,
    ChatMessage,
    ToolMessage,
)
from llamastack.openai.v1.chat_tool_pb2 import (
    CHAT_TOOL_TYPE_FUNCTION,
    TOOL_CHOICE_MODE_AUTO,
    TOOL_CHOICE_MODE_NONE,
    TOOL_CHOICE_MODE_REQUIRED,
    AllowedTools,
    AllowedToolsChoice,
    ChatFunctionCall,
    ChatToolCall,
    FunctionReference,
    JsonSchemaFormat,
    NamedToolChoice,
    ToolChoice,
)
from llamastack.openai.v1.usage_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, FINISH_REASON_TOOL_CALLS
from mesh.errors import InvalidField
from mesh.json_text import value_of
from services.inference.engine import GuidanceKind
from tests.unit.inference.fakes import Answer, ScriptedEngine, tokenizer
from tests.unit.inference.openai.serving import call_text, failure, in_pieces, serving, tool, user

REQUIRED = ToolChoice(mode=TOOL_CHOICE_MODE_REQUIRED)


def named(name: str = "weather") -> NamedToolChoice:
    return NamedToolChoice(function=FunctionReference(name=name))


def request(**members: Any) -> pb.ChatCompletionRequest:
    return pb.ChatCompletionRequest(
        **{"model": "m", "messages": [user("Weather in Oslo?")], "tools": [tool(), tool("news", {"type": "object"})]}
        | members
    )


def engine_saying(text: str, size: int = 3) -> ScriptedEngine:
    return ScriptedEngine(answers=[Answer(in_pieces(text, size))])


def calls_of(message: ChatCompletionMessage) -> list[tuple[str, Any]]:
    assert all(call.id.startswith("call_") for call in message.tool_calls)
    return [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]


async def streamed(stub: Any, wanted: pb.ChatCompletionRequest) -> tuple[str, list[ChatToolCall], int, int]:
    """Return the content, the calls, the finish reason and the number of pieces of arguments of a streamed choice."""
    content, calls, reason, pieces = "", list[ChatToolCall](), 0, 0
    async for chunk in stub.StreamChatCompletion(wanted):
        delta = chunk.choices[0].delta
        content += delta.content
        reason = chunk.choices[0].finish_reason or reason
        for part in delta.tool_calls:
            if part.id:
                assert (part.index, part.type) == (len(calls), CHAT_TOOL_TYPE_FUNCTION)
                calls.append(ChatToolCall(id=part.id, function=ChatFunctionCall(name=part.function.name)))
            calls[part.index].function.arguments += part.function.arguments
            pieces += bool(part.function.arguments)
    return content, calls, reason, pieces


async def test_a_model_that_is_free_to_call_is_told_the_tools_and_its_calls_are_read(tmp_path: Path) -> None:
    text = f"{call_text(city='Oslo')}; {call_text('news', topic='ice')}"
    engine = engine_saying(text)
    async with serving(tmp_path, engine) as stub:
        whole = (await stub.ChatCompletion(request())).choices[0]
        content, calls, reason, _ = await streamed(stub, request(tool_choice=ToolChoice(mode=TOOL_CHOICE_MODE_AUTO)))
    assert calls_of(whole.message) == [("weather", {"city": "Oslo"}), ("news", {"topic": "ice"})]
    assert (whole.message.HasField("content"), whole.finish_reason) == (False, FINISH_REASON_TOOL_CALLS)
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == calls_of(whole.message)
    assert (content, reason) == ("", FINISH_REASON_TOOL_CALLS)
    assert engine.requests[0].guidance is None
    assert '"name": "weather", "description": "Tells."' in prompt_of(engine)


async def test_a_model_that_is_free_to_call_may_answer_in_text(tmp_path: Path) -> None:
    async with serving(tmp_path, engine_saying("It rains.")) as stub:
        whole = (await stub.ChatCompletion(request())).choices[0]
    assert (whole.message, whole.finish_reason) == (ChatCompletionMessage(content="It rains."), FINISH_REASON_STOP)


async def test_without_parallel_calls_only_the_first_one_counts(tmp_path: Path) -> None:
    text = f"{call_text(city='Oslo')}; {call_text(city='Rome')}"
    async with serving(tmp_path, engine_saying(text)) as stub:
        whole = await stub.ChatCompletion(request(parallel_tool_calls=False))
    assert calls_of(whole.choices[0].message) == [("weather", {"city": "Oslo"})]


async def test_what_looks_like_a_call_and_is_none_comes_as_text(tmp_path: Path) -> None:
    text = '{"name": "weather", "parameters": [}'
    async with serving(tmp_path, engine_saying(text)) as stub:
        whole = (await stub.ChatCompletion(request())).choices[0]
        content, calls, reason, _ = await streamed(stub, request())
    assert (whole.message, whole.finish_reason) == (ChatCompletionMessage(content=text), FINISH_REASON_STOP)
    assert (content, calls, reason) == (text, [], FINISH_REASON_STOP)


async def test_with_the_choice_none_the_model_is_told_no_tool_and_all_is_text(tmp_path: Path) -> None:
    engine = engine_saying(call_text(city="Oslo"))
    async with serving(tmp_path, engine) as stub:
        whole = await stub.ChatCompletion(request(tool_choice=ToolChoice(mode=TOOL_CHOICE_MODE_NONE)))
    assert whole.choices[0].message == ChatCompletionMessage(content=call_text(city="Oslo"))
    assert "Tells." not in prompt_of(engine)


@pytest.mark.parametrize(
    ("choice", "callable_names", "forms"),
    [
        (REQUIRED, {"weather", "news"}, 2),
        (ToolChoice(named=named()), {"weather"}, 1),
        (
            ToolChoice(
                allowed=AllowedToolsChoice(
                    allowed_tools=AllowedTools(mode=TOOL_CHOICE_MODE_REQUIRED, tools=[named("news")])
                )
            ),
            {"news"},
            2,
        ),
    ],
)
async def test_a_forced_call_is_the_only_thing_that_the_engine_may_generate(
    tmp_path: Path, choice: ToolChoice, callable_names: set[str], forms: int
) -> None:
    engine = engine_saying(call_text(city="Oslo"))
    async with serving(tmp_path, engine) as stub:
        await stub.ChatCompletion(request(tool_choice=choice))
    guidance = engine.requests[0].guidance
    assert guidance is not None
    schema = json.loads(guidance.text)
    call = schema["$defs"]["call"]
    names = {form["properties"]["name"]["const"] for form in call.get("anyOf", [call])}
    assert (guidance.kind, names, len(schema["anyOf"])) == (GuidanceKind.JSON_SCHEMA, callable_names, forms)


async def test_a_forced_call_streams_its_arguments_as_they_come(tmp_path: Path) -> None:
    arguments = {"city": 'a "quoted\\" {name', "days": 3}
    text = json.dumps([{"type": "function", "name": "weather", "parameters": arguments}] * 2, indent=1)
    async with serving(tmp_path, engine_saying(text, 4)) as stub:
        whole = (await stub.ChatCompletion(request(tool_choice=REQUIRED))).choices[0]
        content, calls, reason, pieces = await streamed(stub, request(tool_choice=REQUIRED))
    assert calls_of(whole.message) == [("weather", arguments)] * 2
    assert [json.loads(call.function.arguments) for call in calls] == [arguments] * 2
    assert (content, reason, whole.finish_reason) == ("", FINISH_REASON_TOOL_CALLS, FINISH_REASON_TOOL_CALLS)
    assert pieces > 10


async def test_a_forced_call_that_is_cut_off_keeps_what_it_has(tmp_path: Path) -> None:
    async with serving(tmp_path, engine_saying(call_text(city="Oslo"))) as stub:
        wanted = request(tool_choice=ToolChoice(named=named()), max_tokens=len(call_text()) // 3 + 2)
        whole = (await stub.ChatCompletion(wanted)).choices[0]
    assert whole.finish_reason == FINISH_REASON_LENGTH
    assert whole.message.tool_calls[0].function == ChatFunctionCall(name="weather", arguments='{"city": ')


ANSWER = value_of({"type": "object", "properties": {"sky": {"type": "string"}}, "required": ["sky"]}).object_value
ANSWER_FORMAT = pb.ResponseFormat(
    json_schema=pb.ResponseFormatJsonSchema(json_schema=JsonSchemaFormat(name="answer", schema=ANSWER))
)


@pytest.mark.parametrize("text", ['{"sky": "grey"}', ' {"type": "fun"}', "{", "[]"])
async def test_beside_tools_a_json_answer_is_an_answer(tmp_path: Path, text: str) -> None:
    engine = engine_saying(text, 2)
    async with serving(tmp_path, engine) as stub:
        whole = (await stub.ChatCompletion(request(response_format=ANSWER_FORMAT))).choices[0]
        content, calls, reason, _ = await streamed(stub, request(response_format=ANSWER_FORMAT))
    assert (whole.message, whole.finish_reason) == (ChatCompletionMessage(content=text), FINISH_REASON_STOP)
    assert (content, calls, reason) == (text, [], FINISH_REASON_STOP)
    assert engine.requests[0].guidance is not None
    assert len(json.loads(engine.requests[0].guidance.text)["anyOf"]) == 3


async def test_beside_a_response_format_a_call_is_a_call(tmp_path: Path) -> None:
    async with serving(tmp_path, engine_saying(call_text(city="Oslo"), 2)) as stub:
        whole = (await stub.ChatCompletion(request(response_format=ANSWER_FORMAT))).choices[0]
    assert calls_of(whole.message) == [("weather", {"city": "Oslo"})]
    assert whole.finish_reason == FINISH_REASON_TOOL_CALLS


async def test_results_of_tools_are_shown_to_the_model_after_the_calls(tmp_path: Path) -> None:
    engine = engine_saying("It rains.")
    call = ChatToolCall(id="call_1", function=ChatFunctionCall(name="weather", arguments='{"city": "Oslo"}'))
    history = [
        user("Weather in Oslo?"),
        ChatMessage(assistant=AssistantMessage(tool_calls=[call])),
        ChatMessage(tool=ToolMessage(content=ChatContent(text="rain"), tool_call_id="call_1")),
    ]
    async with serving(tmp_path, engine) as stub:
        await stub.ChatCompletion(request(messages=history))
    assert prompt_of(engine).endswith(
        f"<|python_tag|>{call_text(city='Oslo')}<|eot_id|>"
        "<|start_header_id|>ipython<|end_header_id|>\n\nrain<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"tools": [tool(), tool()]}, "tools[1].function.name"),
        ({"tool_choice": ToolChoice(named=named("nope"))}, "tool_choice.function.name"),
        (
            {
                "tool_choice": ToolChoice(
                    allowed=AllowedToolsChoice(
                        allowed_tools=AllowedTools(mode=TOOL_CHOICE_MODE_AUTO, tools=[named("nope")])
                    )
                )
            },
            "tool_choice.allowed_tools.tools[0].function.name",
        ),
        (
            {"messages": [ChatMessage(tool=ToolMessage(content=ChatContent(text="rain"), tool_call_id="call_1"))]},
            "messages[0].tool_call_id",
        ),
        (
            {
                "messages": [
                    ChatMessage(
                        assistant=AssistantMessage(
                            tool_calls=[ChatToolCall(id="1", function=ChatFunctionCall(name="f", arguments="[1]"))]
                        )
                    )
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
    ],
)
async def test_what_does_not_fit_together_is_refused_by_its_path(
    tmp_path: Path, members: dict[str, Any], path: str
) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        error = await failure(stub.ChatCompletion(request(**members)))
    assert isinstance(error, InvalidField)
    assert [violation.path for violation in error.details.violations] == [path]


def prompt_of(engine: ScriptedEngine) -> str:
    """Return the prompt of the first request as text."""
    ids = engine.requests[0].prompt.token_ids
    assert ids is not None
    return tokenizer().decode(list(ids), skip_special_tokens=False)
