"""How requests of OpenAI's API are written as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.openai.v1 import chat_message_pb2, chat_pb2, chat_tool_pb2, embedding_pb2, usage_pb2
from services.inference.prompt.tool_schema import parameter_schema
from services.inference.remote.openai_bodies import chat_body, embeddings_body

F = chat_tool_pb2.NamedToolChoice(function=chat_tool_pb2.FunctionReference(name="f"))
ALLOWED = chat_tool_pb2.AllowedTools(mode=chat_tool_pb2.TOOL_CHOICE_MODE_REQUIRED, tools=[F])


def content(text: str) -> chat_message_pb2.ChatContent:
    return chat_message_pb2.ChatContent(text=text)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (chat_tool_pb2.ToolChoice(mode=chat_tool_pb2.TOOL_CHOICE_MODE_REQUIRED), "required"),
        (chat_tool_pb2.ToolChoice(named=F), {"type": "function", "function": {"name": "f"}}),
        (
            chat_tool_pb2.ToolChoice(allowed=chat_tool_pb2.AllowedToolsChoice(allowed_tools=ALLOWED)),
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        ),
    ],
)
def test_tool_choices(choice: chat_tool_pb2.ToolChoice, expected: Any) -> None:
    assert chat_body(chat_pb2.ChatCompletionRequest(tool_choice=choice)) == {"tool_choice": expected}


def test_messages_of_all_roles() -> None:
    image = chat_message_pb2.ImagePart(image_url=chat_message_pb2.ImageUrl(url="https://x/y.png", detail="low"))
    parts = [
        chat_message_pb2.ChatContentPart(text=chat_message_pb2.TextPart(text="look")),
        chat_message_pb2.ChatContentPart(image=image),
    ]
    call = chat_tool_pb2.ChatToolCall(id="c", function=chat_tool_pb2.ChatFunctionCall(name="f", arguments="{}"))
    messages = [
        chat_message_pb2.ChatMessage(system=chat_message_pb2.SystemMessage(content=content("s"))),
        chat_message_pb2.ChatMessage(developer=chat_message_pb2.DeveloperMessage(content=content("d"))),
        chat_message_pb2.ChatMessage(
            user=chat_message_pb2.UserMessage(
                content=chat_message_pb2.ChatContent(parts=chat_message_pb2.ChatContentParts(parts=parts))
            )
        ),
        chat_message_pb2.ChatMessage(assistant=chat_message_pb2.AssistantMessage(tool_calls=[call], refusal="no")),
        chat_message_pb2.ChatMessage(tool=chat_message_pb2.ToolMessage(content=content("t"), tool_call_id="c")),
    ]
    assert chat_body(chat_pb2.ChatCompletionRequest(messages=messages))["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "refusal": "no",
            "tool_calls": [{"type": "function", "id": "c", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "content": "t", "tool_call_id": "c"},
    ]


def test_response_formats() -> None:
    schema = JsonObject(fields={"type": JsonValue(string_value="object")})
    form = chat_tool_pb2.JsonSchemaFormat(name="n", schema=schema, strict=False)
    formats = [
        chat_pb2.ResponseFormat(text=chat_pb2.ResponseFormatText()),
        chat_pb2.ResponseFormat(json_object=chat_pb2.ResponseFormatJsonObject()),
        chat_pb2.ResponseFormat(json_schema=chat_pb2.ResponseFormatJsonSchema(json_schema=form)),
    ]
    bodies = [chat_body(chat_pb2.ChatCompletionRequest(response_format=wanted)) for wanted in formats]
    assert [body["response_format"] for body in bodies] == [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": False}},
    ]


def test_every_form_of_a_text_input() -> None:
    inputs = [
        usage_pb2.TextInput(text="a"),
        usage_pb2.TextInput(texts=usage_pb2.StringList(values=["a", "b"])),
        usage_pb2.TextInput(tokens=usage_pb2.TokenIds(ids=[1])),
        usage_pb2.TextInput(token_lists=usage_pb2.TokenIdsList(values=[usage_pb2.TokenIds(ids=[1, 2])])),
    ]
    bodies = [embeddings_body(embedding_pb2.EmbeddingsRequest(input=text)) for text in inputs]
    assert [body["input"] for body in bodies] == ["a", ["a", "b"], [1], [[1, 2]]]


def test_what_is_not_set_is_not_written_and_what_is_set_is_even_if_it_is_zero() -> None:
    request = chat_pb2.ChatCompletionRequest(temperature=0.0, n=0, logprobs=False)
    assert chat_body(request) == {"temperature": 0.0, "n": 0, "logprobs": False}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("string", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("list[str]", {"type": "array", "items": {"type": "string"}}),
        ("List[list[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("dict", {"type": "object"}),
        ("a date", {"description": "When. (a date)"}),
        ("", {}),
    ],
)
def test_types_of_parameters_are_written_as_json_schema(written: str, expected: dict[str, Any]) -> None:
    described = parameter_schema(written, "When." if "description" in expected else "")
    assert described == expected
