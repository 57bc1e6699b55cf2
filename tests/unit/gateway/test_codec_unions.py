"""The RFC's unions and other JSON of its own, as examples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor

from gateway.codec import Codec, CodecSettings, DecodeError
from tests.contracts import POOL
from tests.unit.gateway.shapes import shape

CODEC = Codec(POOL)
WRAPPING = Codec(POOL, CodecSettings(emit_wrapped=True))


def descriptor(name: str) -> Descriptor:
    """Return a message type of the contracts ("common.v1.Url") or of `shapes.proto` ("Options")."""
    return POOL.FindMessageTypeByName(f"llamastack.{name}") if "." in name else shape(name)


def read(name: str, value: object) -> Any:
    """Return the message that a JSON value is read as."""
    message = descriptor(name)
    return message_factory.GetMessageClass(message).FromString(CODEC.decoder(message)(json.dumps(value).encode()))


def written(message: Any, codec: Codec = CODEC) -> Any:
    """Return the JSON of a message."""
    return json.loads(codec.encoder(message.DESCRIPTOR)(message.SerializeToString()))


def refusal(name: str, value: object) -> str:
    """Return the sentence of the error that a JSON value is refused with."""
    with pytest.raises(DecodeError) as caught:
        read(name, value)
    return str(caught.value)


IMAGE = {"url": "data:image/png;base64,AA==", "mime_type": "image/png"}


@pytest.mark.parametrize(
    ("name", "value", "variant"),
    [
        ("common.v1.Content", "hi", "text"),
        ("common.v1.Content", "", "text"),
        ("common.v1.Content", IMAGE, "attachment"),
        ("common.v1.Content", ["look at", IMAGE, "and tell"], "parts"),
        ("common.v1.Content", [], "parts"),
        ("common.v1.ToolName", "brave_search", "builtin"),
        ("common.v1.ToolName", "my_tool", "custom"),
        ("common.v1.ToolName", "unspecified", "custom"),
        ("common.v1.Message", {"role": "user", "content": "hi"}, "user"),
        ("common.v1.Message", {"role": "system", "content": ["be", "brief"]}, "system"),
        (
            "common.v1.Message",
            {"role": "ipython", "call_id": "1", "tool_name": "code_interpreter", "content": IMAGE},
            "tool_response",
        ),
        (
            "common.v1.Message",
            {
                "role": "assistant",
                "content": "",
                "stop_reason": "end_of_message",
                "tool_calls": [
                    {"call_id": "1", "tool_name": "add", "arguments": {"a": 1, "b": 1.0, "c": [None, True, {"d": "e"}]}}
                ],
            },
            "completion",
        ),
        ("common.v1.QuantizationConfig", {"type": "bf16"}, "bf16"),
        ("common.v1.QuantizationConfig", {"type": "fp8"}, "fp8"),
        ("inference.v1.ChatCompletionDelta", "text", "text"),
        ("inference.v1.ChatCompletionDelta", {"content": "", "parse_status": "started"}, "tool_call"),
        (
            "inference.v1.ChatCompletionDelta",
            {"content": {"call_id": "1", "tool_name": "f", "arguments": {}}, "parse_status": "success"},
            "tool_call",
        ),
        ("Figure", {"kind": "circle", "radius": 1.0}, "circle"),
        ("Figure", {"kind": "square", "side": 1.0}, "square"),
        ("Amount", {"weight": 1.5, "unit": "kg"}, "weight"),
        ("Amount", {"count": 3, "unit": "pieces"}, "count"),
        ("Amount", {"count": 3, "box": "b"}, "count"),
        ("Prompt", "hi", "text"),
        ("Prompt", ["a", "b"], "texts"),
        ("Prompt", [1, 2], "tokens"),
        ("Prompt", [[1], [2, 3]], "token_rows"),
        ("Prompt", [], "texts"),
        ("Measure", 1.5, "number"),
        ("Measure", 1.0, "number"),
        ("Measure", 1, "integer"),
        ("Measure", "red", "color"),
        ("Measure", "mauve", "text"),
        ("Measure", True, "truth"),
    ],
)
def test_a_union_is_its_first_variant_that_fits_and_is_written_as_that_alone(
    name: str, value: object, variant: str
) -> None:
    message = read(name, value)
    assert message.WhichOneof(descriptor(name).oneofs[0].name) == variant
    assert json.dumps(written(message), sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null_value"),
        (False, "bool_value"),
        (0, "integer_value"),
        (-(2**63), "integer_value"),
        (2**63 - 1, "integer_value"),
        (2**63, "big_integer_value"),
        (2**64 - 1, "big_integer_value"),
        (2**64, "big_integer_value"),
        (-(2**63) - 1, "big_integer_value"),
        (10**400 + 1, "big_integer_value"),
        (1.0, "number_value"),
        (-0.0, "number_value"),
        (1e22, "number_value"),
        (1.7e308, "number_value"),
        ("1", "string_value"),
        ("NaN", "string_value"),
        ([], "array_value"),
        ({}, "object_value"),
        ({"values": [1], "fields": {"a": None}}, "object_value"),
        ([[[{"a": [2**70]}]], None], "array_value"),
    ],
)
def test_free_json_loses_nothing(value: object, kind: str) -> None:
    message = read("common.v1.JsonValue", value)
    assert message.WhichOneof("kind") == kind
    assert json.dumps(written(message), sort_keys=True) == json.dumps(value, sort_keys=True)


def test_null_in_free_json_is_a_value_and_elsewhere_it_is_absent() -> None:
    assert read("Options", {"agent_id": "a", "free": None}).HasField("free")
    assert not read("Options", {"agent_id": "a", "note": None}).HasField("note")
    assert read("common.v1.Content", None).WhichOneof("content") is None
    assert written(read("common.v1.Content", None)) is None
    first, _ = read("common.v1.ContentParts", [None, "a"]).parts
    assert first.WhichOneof("part") is None


def test_a_wrappable_value_is_read_plain_and_wrapped_and_written_as_set() -> None:
    attachment = read("common.v1.Attachment", IMAGE)
    wrapped = {"url": {"uri": IMAGE["url"]}, "mime_type": "image/png"}
    assert read("common.v1.Attachment", wrapped) == attachment
    assert written(attachment) == IMAGE
    assert written(attachment, WRAPPING) == wrapped
    assert refusal("common.v1.Attachment", {"url": {"url": "x"}, "mime_type": "m"}) == (
        "url.url: expected one of the members uri, found an unknown member"
    )
    assert refusal("common.v1.Attachment", {"url": {}, "mime_type": "m"}) == "url.uri: expected a string, found nothing"


def test_a_list_is_read_bare_and_wrapped() -> None:
    user = {"role": "user", "content": "hi"}
    bare = read("inference.v1.BatchChatCompletionRequest", {"model": "m", "messages_batch": [[user]]})
    wrapped = {"model": "m", "messages_batch": [{"messages": [user]}]}
    assert read("inference.v1.BatchChatCompletionRequest", wrapped) == bare


def test_a_constant_may_be_missing_where_there_is_nothing_to_tell_apart() -> None:
    assert read("common.v1.UserMessage", {"content": "hi"}) == read(
        "common.v1.UserMessage", {"role": "user", "content": "hi"}
    )
    assert (
        refusal("common.v1.UserMessage", {"role": "system", "content": "hi"}) == 'role: expected "user", found "system"'
    )
    assert refusal("common.v1.UserMessage", {"role": 1, "content": "hi"}) == 'role: expected "user", found 1'


def test_aliases_are_read_and_written_and_must_agree() -> None:
    message = read("Options", {"system_id": "a"})
    assert message == read("Options", {"agent_id": "a"}) == read("Options", {"agentId": "a", "system_id": "a"})
    assert written(message) == {"agent_id": "a", "system_id": "a", "note": None}
    assert refusal("Options", {"agent_id": "a", "system_id": "b"}) == (
        "system_id: expected the same value as agent_id, found another"
    )
    assert read("Options", {"agent_id": "a", "system_id": None}) == message


def test_empty_members_are_left_out_where_the_contract_says_so() -> None:
    message = read("Options", {"agent_id": "", "tags": [], "count": 0, "note": ""})
    assert written(message) == {"agent_id": "", "system_id": "", "note": ""}
    full = {"agent_id": "", "system_id": "", "note": "", "tags": ["a"], "count": 1, "action": 2, "free": [1]}
    assert written(read("Options", full)) == full


def test_members_are_written_in_camel_case_without_defaults_and_with_numbers_when_so_set() -> None:
    settings = CodecSettings(
        always_print_primitive_fields=False, always_print_enums_as_ints=True, preserve_proto_field_names=False
    )
    codec = Codec(POOL, settings)
    message = read("common.v1.CompletionMessage", {"content": "hi", "stop_reason": "end_of_turn", "tool_calls": []})
    assert written(message, codec) == {"role": "assistant", "content": "hi", "stopReason": 1, "toolCalls": []}
    usage = read("inference.v1.Usage", {"prompt_tokens": 3, "completion_tokens": 0})
    assert written(usage, codec) == {"promptTokens": 3}
    assert codec.member(usage.DESCRIPTOR, "prompt_tokens") == "promptTokens"
    assert CODEC.member(usage.DESCRIPTOR, "prompt_tokens") == "prompt_tokens"


def test_a_message_is_written_as_a_value_too() -> None:
    message = read("inference.v1.EmbeddingsRequest", {"model": "m", "contents": ["a"]})
    encode = CODEC.value_encoder(message.DESCRIPTOR)
    assert encode(message.SerializeToString()) == {"model": "m", "contents": ["a"]}
