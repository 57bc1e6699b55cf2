"""Finding the code in a conversation."""

from __future__ import annotations

import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, UserMessage
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonValue
from services.agents.safety.code_pieces import Piece, pieces


def user(text: str) -> Message:
    return Message(user=UserMessage(content=Content(text=text)))


def test_blocks_are_code_of_their_language_and_the_rest_is_of_any() -> None:
    text = "Try:\n```Python title=x\na = 1\n```\nor\n  ~~~ c++\nint a;\n~~~\nor\n````\n```js\n````\n."
    assert pieces([user(text)]) == [
        Piece("a = 1\n", "python"),
        Piece("int a;\n", "cpp"),
        Piece("```js\n"),
        Piece("Try:\n\n\nor\n\n\nor\n\n\n."),
    ]


@pytest.mark.parametrize("text", ["```py\na = 1", "```py\na = 1\n``", "```py\na = 1\n```js"])
def test_a_block_that_never_ends_goes_on_to_the_end(text: str) -> None:
    assert pieces([user(text)]) == [Piece(text.removeprefix("```py\n"), "python")]


def test_a_call_of_the_code_interpreter_is_python_and_any_other_is_text() -> None:
    interpreter = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER)
    calls = [
        ToolCall(tool_name=interpreter, arguments={"code": JsonValue(string_value="a = 1")}),
        ToolCall(tool_name=ToolName(custom="save"), arguments={"code": JsonValue(string_value="b = 2")}),
    ]
    said = Message(completion=CompletionMessage(content=Content(text="Look."), tool_calls=calls))
    assert pieces([said]) == [Piece("a = 1", "python"), Piece('Look.\n\nsave({"code": "b = 2"})')]


def test_empty_messages_and_repetitions_are_left_out() -> None:
    assert pieces([user(""), user("a"), user(" "), user("a"), user("```\n```")]) == [Piece("a")]
