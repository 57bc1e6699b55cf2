"""What OpenTelemetry's conventions for generative AI say about a call, read off its messages by the names of fields.

https://opentelemetry.io/docs/specs/semconv/gen-ai/ has operation, model, sampling, token counts, conversation, agent
and tool.
Contents (prompts, answers, arguments) never become attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message

from mesh.methods import Method

Value: TypeAlias = str | int | float | bool | list[str]
Attributes: TypeAlias = dict[str, Value]

TENANT: Final = "llamastack.tenant"
SESSION: Final = "gen_ai.conversation.id"
TURN: Final = "llamastack.turn.id"
RUN: Final = "llamastack.run.id"
OPERATION: Final = "gen_ai.operation.name"

_OPERATIONS: Final[Mapping[tuple[str, str], str]] = {
    **{(area, f"{stream}ChatCompletion"): "chat" for area in ("inference", "openai") for stream in ("", "Stream")},
    **{("inference", f"{stream}BatchChatCompletion"): "chat" for stream in ("", "Stream")},
    **{
        (area, f"{stream}Completion"): "text_completion"
        for area in ("inference", "openai")
        for stream in ("", "Stream")
    },
    **{("inference", f"{stream}BatchCompletion"): "text_completion" for stream in ("", "Stream")},
    **{(area, "Embeddings"): "embeddings" for area in ("inference", "openai")},
    **{("agents", f"{stream}{verb}Turn"): "invoke_agent" for stream in ("", "Stream") for verb in ("Create", "Resume")},
    ("tools", "RunTool"): "execute_tool",
}
_REQUEST: Final = {
    "model": "gen_ai.request.model",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "session_id": SESSION,
    "system_id": "gen_ai.agent.id",
    "turn_id": TURN,
    "run_id": RUN,
}
_USAGE: Final = {"prompt_tokens": "gen_ai.usage.input_tokens", "completion_tokens": "gen_ai.usage.output_tokens"}
_NAMED: Final = ("gen_ai.request.model", "gen_ai.tool.name", "gen_ai.agent.id")
_FINISHES: Final = "gen_ai.response.finish_reasons"
_REASON: Final = "stop_reason"
_DEPTH: Final = 4


def operation(method: Method) -> str:
    """Return what the conventions call the work of an RPC; empty if it is none of theirs."""
    return _OPERATIONS.get((method.area, method.name), "")


def of_request(method: Method, request: Message) -> Attributes:
    """Return the attributes that a request tells."""
    found: Attributes = {}
    doing = operation(method)
    if doing:
        found = {OPERATION: doing, "gen_ai.provider.name": "altiplano"}
    parts = [request]
    if doing and "sampling_params" in request.DESCRIPTOR.fields_by_name:
        parts.append(request.sampling_params)  # type: ignore[attr-defined]  # its descriptor says so
    for part in parts:
        for name, attribute in _REQUEST.items():
            value = _scalar(part, name)
            # a session means the same wherever it is named, the rest belongs to the conventions' operations
            if value is not None and (doing or attribute in {SESSION, TURN, RUN}):
                found[attribute] = value
    if doing == "execute_tool":
        found["gen_ai.tool.name"] = _tool(request)
    return found


def of_response(message: Message) -> Attributes:
    """Return the attributes that a response, or one message of a stream, tells."""
    found: Attributes = {}
    for part in _nested(message, _DEPTH):
        name = part.DESCRIPTOR.name
        if name.endswith("Usage"):
            found |= {attribute: value for key, attribute in _USAGE.items() if (value := _scalar(part, key))}
        turn = _scalar(part, "turn_id")
        if turn:
            found.setdefault(TURN, turn)
        reason = part.DESCRIPTOR.fields_by_name.get(_REASON)
        if reason is not None and reason.enum_type is not None and (number := getattr(part, _REASON)):
            found[_FINISHES] = [reason.enum_type.values_by_number[number].name.removeprefix("STOP_REASON_").lower()]
    return found


def name_of(attributes: Mapping[str, Any]) -> str:
    """Return the name of a span as the conventions have it, "chat llama" for example; empty outside of them."""
    doing = attributes.get(OPERATION, "")
    about = next((attributes[name] for name in _NAMED if attributes.get(name)), "")
    return f"{doing} {about}".strip() if doing else ""


def _scalar(message: Message, name: str) -> Value | None:
    """Return a field that is a single text or number and was given; None otherwise."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.is_repeated or field.message_type is not None or field.enum_type is not None:
        return None
    if field.has_presence and not message.HasField(name):
        return None
    value: Value = getattr(message, name)
    return value if value != "" else None


def _tool(request: Message) -> str:
    """Return the name of the tool that a request names, as the RFC writes it."""
    name: Any = getattr(request, "tool_name", None)
    kind = name.WhichOneof("name") if isinstance(name, Message) else None
    if kind is None:
        return ""
    value = getattr(name, kind)
    if isinstance(value, str):
        return value
    enum = name.DESCRIPTOR.fields_by_name[kind].enum_type
    return str(enum.values_by_number[value].name.removeprefix("BUILTIN_TOOL_").lower())


def _nested(message: Message, depth: int) -> Iterator[Message]:
    """Yield a message and the single messages that are set within it."""
    yield message
    if depth:
        for field, value in message.ListFields():
            if field.message_type is not None and not field.is_repeated:
                yield from _nested(value, depth - 1)
