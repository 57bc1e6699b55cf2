"""What callers send has bounds: every text, list and map that a request can hold."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2
from gateway.contract import Contract
from tests.contracts import DESCRIPTORS

# what is said, and free JSON, may be as long as a message
AS_LONG_AS_A_MESSAGE = {
    "llamastack.common.v1.Content.text",
    "llamastack.common.v1.ContentPart.text",
    "llamastack.common.v1.JsonArray.values",
    "llamastack.common.v1.JsonObject.fields",
    "llamastack.common.v1.JsonValue.string_value",
    "llamastack.memory.v1.QueryText.text",
    "llamastack.openai.v1.AssistantMessage.refusal",
    "llamastack.openai.v1.ChatContent.text",
    "llamastack.openai.v1.ChatFunctionCall.arguments",
    "llamastack.openai.v1.CompletionRequest.suffix",
    "llamastack.openai.v1.RefusalPart.refusal",
    "llamastack.openai.v1.TextInput.text",
    "llamastack.openai.v1.TextPart.text",
}

BOUNDS = {"max_len", "max_bytes", "max_items", "max_pairs", "pattern", "in"}
TEXTS = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}


def requested() -> Iterator[FieldDescriptor]:
    """Yield every field of the contracts' own messages that a request can hold."""
    seen: set[str] = set()
    waiting: list[Descriptor] = [rpc.input for rpc in Contract(DESCRIPTORS.read_bytes()).rpcs.values()]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen or not message.full_name.startswith("llamastack."):
            continue
        seen.add(message.full_name)
        waiting += [field.message_type for field in message.fields if field.message_type is not None]
        if not message.GetOptions().map_entry:
            yield from message.fields


def is_bounded(field: FieldDescriptor) -> bool:
    """Return whether a rule of a text, list or map keeps it from any length."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    kinds = (getattr(rules, kind) for kind in ("string", "bytes", "repeated", "map"))
    return any(rule.name in BOUNDS for kind in kinds for rule, _ in kind.ListFields())


def test_every_text_list_and_map_of_a_request_has_a_bound() -> None:
    sized = [field for field in requested() if field.is_repeated or field.type in TEXTS]
    assert {field.full_name for field in sized if not is_bounded(field)} == AS_LONG_AS_A_MESSAGE
