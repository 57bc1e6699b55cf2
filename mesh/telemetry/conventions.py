"""What OpenTelemetry's conventions for generative AI say about a call, read off its request by the names of fields.

https://github.com/open-telemetry/semantic-conventions-genai has operation, model, sampling, conversation, agent and
tool. What answers tell is in ``mesh.telemetry.answers``; contents (prompts, answers, arguments), which become
attributes only where somebody asks for it, are in ``mesh.telemetry.contents``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message

from mesh.methods import Method

Value: TypeAlias = str | int | float | bool | list[str]
Attributes: TypeAlias = dict[str, Value]

TENANT: Final = "llamastack.tenant"
SESSION: Final = "gen_ai.conversation.id"
TURN: Final = "llamastack.turn.id"
ATTEMPT: Final = "llamastack.turn.attempt"
"""Which of the processes that had a turn one after the other makes the span, from 1."""
RUN: Final = "llamastack.run.id"
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
AGENT_ID: Final = "gen_ai.agent.id"
TOOL: Final = "gen_ai.tool.name"
CALL: Final = "gen_ai.tool.call.id"
KIND: Final = "gen_ai.tool.type"
EXTENSION: Final = "extension"
"""The kind of a tool that runs on the agent's side, as all do that run here."""
OURS: Final = "altiplano"
"""The provider: models elsewhere are reached through this one as well."""

CHAT, COMPLETION, EMBEDDINGS, SCORE = "chat", "text_completion", "embeddings", "score"
AGENT, EXECUTE, RETRIEVAL = "invoke_agent", "execute_tool", "retrieval"
MODELS: Final = frozenset({CHAT, COMPLETION, EMBEDDINGS, SCORE})
"""The operations that a model does. ``score`` is our word for reward and classification, the conventions have none."""

_EITHER: Final = ("", "Stream")
OPERATIONS: Final[Mapping[tuple[str, str], str]] = {
    **{(area, f"{stream}ChatCompletion"): CHAT for area in ("inference", "openai") for stream in _EITHER},
    **{("inference", f"{stream}BatchChatCompletion"): CHAT for stream in _EITHER},
    **{(area, f"{stream}Completion"): COMPLETION for area in ("inference", "openai") for stream in _EITHER},
    **{("inference", f"{stream}BatchCompletion"): COMPLETION for stream in _EITHER},
    **{(area, "Embeddings"): EMBEDDINGS for area in ("inference", "openai")},
    ("inference", "Score"): SCORE,
    **{("agents", f"{stream}{verb}Turn"): AGENT for stream in _EITHER for verb in ("Create", "Resume")},
    ("tools", "RunTool"): EXECUTE,
    ("memory", "QueryMemoryBank"): RETRIEVAL,
}
"""The operation of an RPC by its area and its name."""

_EVERYWHERE: Final = {"session_id": SESSION, "turn_id": TURN, "run_id": RUN}
_REQUEST: Final = {
    "model": MODEL,
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "system_id": AGENT_ID,
    "agent_id": AGENT_ID,
    "call_id": CALL,
    "bank_id": "gen_ai.data_source.id",
}
_ABOUT: Final = {
    AGENT: AGENT_ID,
    EXECUTE: TOOL,
    RETRIEVAL: "gen_ai.data_source.id",
}


def operation(method: Method) -> str:
    """Return what the conventions call the work of an RPC; empty if it is none of theirs."""
    return OPERATIONS.get((method.area, method.name), "")


def of_request(method: Method, request: Message) -> Attributes:
    """Return the attributes that a request tells; a session means the same wherever it is named."""
    found = _scalars(request, _EVERYWHERE)
    doing = operation(method)
    if not doing:
        return found
    found |= {OPERATION: doing, PROVIDER: OURS, **_scalars(request, _REQUEST)}
    sampling = _set(request, "sampling_params")
    if sampling is not None:
        found |= _scalars(sampling, _REQUEST)
        found |= _stops(list(sampling.stop))
    if (stop := _set(request, "stop")) is not None:
        found |= _stops([stop.text] if stop.WhichOneof("stop") == "text" else list(stop.texts.values))
    if doing in MODELS and method.server_streaming:
        found["gen_ai.request.stream"] = True
    if _wants_json(request):
        found["gen_ai.output.type"] = "json"
    if found.get("gen_ai.request.choice.count") == 1:
        del found["gen_ai.request.choice.count"]
    if doing == EXECUTE:
        found[TOOL] = tool_name(getattr(request, "tool_name", None))
        found[KIND] = EXTENSION
    return found


def name_of(attributes: Mapping[str, Any]) -> str:
    """Return the name of a span as the conventions have it, "chat llama" for example; empty outside of them."""
    doing = attributes.get(OPERATION, "")
    return f"{doing} {attributes.get(_ABOUT.get(doing, MODEL), '')}".strip() if doing else ""


def tool_name(name: Any) -> str:
    """Return the name of a tool, which is one of an enum or a text, as the RFC writes it."""
    kind = name.WhichOneof("name") if isinstance(name, Message) else None
    if kind is None:
        return ""
    value = getattr(name, kind)
    if isinstance(value, str):
        return value
    enum = name.DESCRIPTOR.fields_by_name[kind].enum_type
    return str(enum.values_by_number[value].name.removeprefix("BUILTIN_TOOL_").lower())


def scalar(message: Message, name: str) -> str | int | float | bool | None:
    """Return a field that is a single text or number and was given; None otherwise."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.is_repeated or field.message_type is not None or field.enum_type is not None:
        return None
    if field.has_presence and not message.HasField(name):
        return None
    value: str | int | float | bool = getattr(message, name)
    return value if value != "" else None


def _scalars(message: Message, names: Mapping[str, str]) -> Attributes:
    told = ((attribute, scalar(message, name)) for name, attribute in names.items())
    return {attribute: value for attribute, value in told if value is not None}


def _set(message: Message, name: str) -> Any:
    """Return a message field that is set; None otherwise."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.message_type is None or field.is_repeated or not message.HasField(name):
        return None
    return getattr(message, name)


def _stops(texts: list[str]) -> Attributes:
    return {"gen_ai.request.stop_sequences": texts} if texts else {}


def _wants_json(request: Message) -> bool:
    wanted = _set(request, "guidance") or _set(request, "response_format")
    kind = None if wanted is None else wanted.WhichOneof(wanted.DESCRIPTOR.oneofs[0].name)
    return kind in {"json_schema", "json_object"}
