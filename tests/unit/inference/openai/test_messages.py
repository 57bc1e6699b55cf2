"""Messages and schemas of OpenAI's API on their way to the prompt and the engine."""

from __future__ import annotations

import json

from llamastack.common.v1 import message_pb2 as common
from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import StopReason
from llamastack.common.v1.tool_pb2 import ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.openai.v1 import chat_message_pb2 as pb
from llamastack.openai.v1.chat_tool_pb2 import ChatFunctionCall, ChatTool, ChatToolCall, FunctionDefinition
from mesh.json_text import Loose, value_of
from services.inference.openai.messages import conversation_messages
from services.inference.openai.schemas import SchemaText
from services.inference.openai.tools import offer_of
from services.inference.prompt.tool_definitions import write_definitions
from tests.unit.inference.openai.test_chat import request


def text(value: str) -> pb.ChatContent:
    return pb.ChatContent(text=value)


def schema(value: dict[str, Loose]) -> JsonObject:
    return value_of(value).object_value


def test_every_message_becomes_one_message() -> None:
    call = ChatToolCall(id="c1", function=ChatFunctionCall(name="f", arguments=' {"n": 12345678901234567890} '))
    image = pb.ImagePart(image_url=pb.ImageUrl(url="data:image/png;base64,AA=="))
    parts = [pb.ChatContentPart(text=pb.TextPart(text="Look")), pb.ChatContentPart(image=image)]
    history = [
        pb.ChatMessage(system=pb.SystemMessage(content=text("Be kind."))),
        pb.ChatMessage(developer=pb.DeveloperMessage(content=text("Be brief."))),
        pb.ChatMessage(user=pb.UserMessage(content=pb.ChatContent(parts=pb.ChatContentParts(parts=parts)))),
        pb.ChatMessage(assistant=pb.AssistantMessage(content=text("Well."), tool_calls=[call])),
        pb.ChatMessage(tool=pb.ToolMessage(content=text("1"), tool_call_id="c1")),
        pb.ChatMessage(assistant=pb.AssistantMessage(refusal="No.")),
    ]
    argument = JsonValue(big_integer_value="12345678901234567890")
    look = [
        ContentPart(text="Look"),
        ContentPart(attachment=Attachment(url=Url(uri="data:image/png;base64,AA=="), mime_type="image/png")),
    ]
    name = ToolName(custom="f")
    ended = StopReason.STOP_REASON_END_OF_TURN
    assert conversation_messages(history) == [
        common.Message(system=common.SystemMessage(content=Content(text="Be kind."))),
        common.Message(system=common.SystemMessage(content=Content(text="Be brief."))),
        common.Message(user=common.UserMessage(content=Content(parts=ContentParts(parts=look)))),
        common.Message(
            completion=common.CompletionMessage(
                content=Content(text="Well."),
                stop_reason=ended,
                tool_calls=[ToolCall(call_id="c1", tool_name=name, arguments={"n": argument})],
            )
        ),
        common.Message(
            tool_response=common.ToolResponseMessage(call_id="c1", tool_name=name, content=Content(text="1"))
        ),
        common.Message(
            completion=common.CompletionMessage(
                content=Content(parts=ContentParts(parts=[ContentPart(text="No.")])), stop_reason=ended
            )
        ),
    ]


def test_a_schema_that_refers_to_itself_is_moved_with_its_references() -> None:
    node = schema(
        {
            "type": "object",
            "properties": {"next": {"$ref": "#"}, "leaf": {"$ref": "#/$defs/Leaf"}},
            "required": ["next", "leaf"],
            "$defs": {"Leaf": {"type": "string"}},
        }
    )
    made = SchemaText()
    alternatives = [made.part(node), *made.calls([("f", schema({"type": "object"}))], single=True)]
    whole = json.loads(made.whole(alternatives))
    assert whole == {
        "anyOf": [{"$ref": "#/$defs/s0"}, {"$ref": "#/$defs/call"}],
        "$defs": {
            "s0": {
                "type": "object",
                "properties": {"next": {"$ref": "#/$defs/s0"}, "leaf": {"$ref": "#/$defs/s0/$defs/Leaf"}},
                "required": ["next", "leaf"],
                "$defs": {"Leaf": {"type": "string"}},
            },
            "call": {
                "type": "object",
                "properties": {
                    "type": {"const": "function"},
                    "name": {"const": "f"},
                    "parameters": {"type": "object"},
                },
                "required": ["type", "name", "parameters"],
                "additionalProperties": False,
            },
        },
    }
    assert list(whole["$defs"]["s0"]["properties"]) == ["next", "leaf"]


def test_a_model_is_told_all_that_the_schema_says() -> None:
    parameters = schema(
        {
            "type": "object",
            "title": "Arguments",
            "properties": {
                "unit": {"type": "string", "title": "Unit", "enum": ["C", "F"], "description": "Scale."},
                "where": {"$ref": "#/$defs/Place"},
                "city": {"type": "string"},
            },
            "required": ["city"],
            "$defs": {"Place": {"type": "string"}},
        }
    )
    offer = offer_of(request(tools=[ChatTool(function=FunctionDefinition(name="f", parameters=parameters))]))
    assert (
        '{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": '
        '{"city": {"type": "string"}, "unit": {"type": "string", "description": "Scale.", "enum": ["C", "F"]}, '
        '"where": {"$ref": "#/$defs/Place"}}, "required": ["city"], "$defs": {"Place": {"type": "string"}}}}}'
    ) in write_definitions(offer.definitions(), 0, offer.schemas)  # type: ignore[arg-type]  # 0 is unspecified


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    offer = offer_of(request(tools=[ChatTool(function=FunctionDefinition(name="f"))]))
    empty = schema({"type": "object", "properties": {}, "additionalProperties": False})
    assert offer.schemas == {"f": empty}
