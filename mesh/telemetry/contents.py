"""Prompts and answers as OpenTelemetry's conventions write them: JSON lists of messages with parts.

They become attributes of sampled spans only where ALTIPLANO_CAPTURE_CONTENTS says so. A list that would be longer than
32 KiB loses its oldest messages; a single message, argument or result that is longer is left out. The bytes of files
(``data:`` URLs) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from mesh.json_text import loose_of
from mesh.telemetry import conventions
from mesh.telemetry.conventions import Attributes

Part: TypeAlias = dict[str, Any]

INPUT: Final = "gen_ai.input.messages"
OUTPUT: Final = "gen_ai.output.messages"
ARGUMENTS: Final = "gen_ai.tool.call.arguments"
RESULT: Final = "gen_ai.tool.call.result"
LONGEST: Final = 32 * 1024

_ROLES: Final = {
    "user": "user",
    "system": "system",
    "developer": "system",
    "completion": "assistant",
    "assistant": "assistant",
    "tool_response": "tool",
    "tool": "tool",
}


def of_request(doing: str, request: Any) -> Attributes:
    """Return what a request of an operation says."""
    if doing in {conventions.CHAT, conventions.AGENT}:
        return _listed(INPUT, [_message(message) for message in getattr(request, "messages", ())])
    if doing == conventions.COMPLETION:
        ours = hasattr(request, "content")
        parts = _parts(request.content) if ours else _text_input(getattr(request, "prompt", None))
        return _listed(INPUT, [{"role": "user", "parts": parts}] if parts else [])
    if doing == conventions.EXECUTE:
        return of_arguments(request.arguments)
    return {}


def of_arguments(arguments: Mapping[str, Any]) -> Attributes:
    """Return the arguments of a tool call."""
    text = json.dumps({name: loose_of(value) for name, value in arguments.items()}, ensure_ascii=False, default=str)
    return {ARGUMENTS: text} if len(text) <= LONGEST else {}


def of_result(content: Any) -> Attributes:
    """Return what a tool gave back."""
    text = "\n".join(str(part.get("content") or part.get("uri", "")) for part in _parts(content))
    return {RESULT: text} if len(text) <= LONGEST else {}


class Said:
    """An answer as it comes together out of its messages."""

    def __init__(self, doing: str) -> None:
        """Begin an answer to an operation."""
        self._doing = doing
        self._whole: dict[int, list[Part]] = {}
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[int, dict[int, Part]] = {}
        self._result: Attributes = {}

    def add(self, message: Any) -> None:
        """Take the next message, or the only one."""
        if self._doing == conventions.EXECUTE:
            self._result = of_result(message.content)
        elif self._doing == conventions.AGENT:
            turn = message.event.payload.turn_complete.turn
            if turn.HasField("output_message"):
                self._whole[0] = _answer(turn.output_message)
        elif self._doing in {conventions.CHAT, conventions.COMPLETION}:
            self._add_model(message)

    def attributes(self, stops: Any = ()) -> Attributes:
        """Return what was said, with the reasons to stop in the order of the answers."""
        found: dict[int, list[Part]] = dict(self._whole)
        for index in sorted({*self._texts, *self._calls}):
            text = "".join(self._texts.get(index, ()))
            found[index] = [_text(text)] if text else []
            found[index] += [call for _, call in sorted(self._calls.get(index, {}).items())]
        messages = [
            {"role": "assistant", "parts": parts, **({"finish_reason": stop} if stop else {})}
            for (_, parts), stop in zip(sorted(found.items()), [*stops, *[""] * len(found)], strict=False)
        ]
        return {**self._result, **_listed(OUTPUT, messages)}

    def _add_model(self, message: Any) -> None:
        index, inner = getattr(message, "index", 0), getattr(message, "response", message)
        if hasattr(inner, "completion_message"):
            if inner.HasField("completion_message"):
                self._whole[index] = _answer(inner.completion_message)
        elif hasattr(inner, "choices"):
            for choice in inner.choices:
                self._add_choice(choice)
        elif hasattr(inner, "event"):
            self._add_delta(inner.event.delta)
        elif hasattr(inner, "delta"):
            self._texts.setdefault(0, []).append(inner.delta)
        for place, each in enumerate(getattr(inner, "completion_message_batch", ())):
            self._whole[place] = _answer(each)

    def _add_delta(self, delta: Any) -> None:
        if delta.WhichOneof("delta") != "tool_call":
            self._texts.setdefault(0, []).append(delta.text)
        elif delta.tool_call.content.WhichOneof("content") == "tool_call":
            calls = self._calls.setdefault(0, {})
            calls[len(calls)] = _call(delta.tool_call.content.tool_call)

    def _add_choice(self, choice: Any) -> None:
        if hasattr(choice, "message"):
            self._whole[choice.index] = _answer(choice.message)
            return
        delta = getattr(choice, "delta", None)
        self._texts.setdefault(choice.index, []).append(choice.text if delta is None else delta.content)
        for piece in () if delta is None else delta.tool_calls:
            known = self._calls.setdefault(choice.index, {})
            call = known.setdefault(piece.index, {"type": "tool_call", "id": "", "name": "", "arguments": ""})
            call["id"] = call["id"] or piece.id
            call["name"] = call["name"] or piece.function.name
            call["arguments"] += piece.function.arguments


def _listed(attribute: str, messages: list[dict[str, Any]]) -> Attributes:
    """Return messages as JSON, without the oldest ones where that would be too long."""
    kept: list[str] = []
    room = LONGEST - 2
    for message in reversed(messages):
        text = json.dumps(message, ensure_ascii=False, default=str)
        room -= len(text) + 2
        if room < 0:
            break
        kept.append(text)
    return {attribute: f"[{', '.join(reversed(kept))}]"} if kept else {}


def _message(message: Any) -> dict[str, Any]:
    """Return a message of a conversation, the RFC's or OpenAI's, which is a oneof of roles."""
    kind = message.WhichOneof(message.DESCRIPTOR.oneofs[0].name)
    if kind is None:
        return {"role": "user", "parts": []}
    said, role = getattr(message, kind), _ROLES.get(kind, kind)
    if role == "assistant":
        return {"role": role, "parts": _answer(said)}
    if role == "tool":
        call_id = said.call_id if hasattr(said, "call_id") else said.tool_call_id
        response = "\n".join(part.get("content", "") for part in _parts(said.content))
        return {"role": role, "parts": [{"type": "tool_call_response", "id": call_id, "response": response}]}
    return {"role": role, "parts": _parts(said.content)}


def _answer(message: Any) -> list[Part]:
    return [*_parts(message.content), *map(_call, message.tool_calls)]


def _call(call: Any) -> Part:
    if hasattr(call, "function"):
        return {
            "type": "tool_call",
            "id": call.id,
            "name": call.function.name,
            "arguments": call.function.arguments,
        }
    arguments = {name: loose_of(value) for name, value in call.arguments.items()}
    name = conventions.tool_name(call.tool_name)
    return {"type": "tool_call", "id": call.call_id, "name": name, "arguments": arguments}


def _parts(content: Any) -> list[Part]:
    """Return the parts of a content: a text, a file, or a list of both."""
    if isinstance(content, str):
        return [_text(content)] if content else []
    kind = content.WhichOneof(content.DESCRIPTOR.oneofs[0].name)
    if kind == "parts":
        return [made for part in content.parts.parts for made in _parts(part)]
    if kind == "attachment":
        return [_file(content.attachment.url.uri, content.attachment.mime_type)]
    if kind == "image":
        return [_file(content.image.image_url.url, "image/*")]
    if kind is None:
        return []
    value = getattr(content, kind)
    return _parts(value if isinstance(value, str) else getattr(value, kind))


def _text_input(prompt: Any) -> list[Part]:
    """Return an OpenAI prompt; one in token ids has no text."""
    kind = None if prompt is None else prompt.WhichOneof("input")
    texts: Iterable[str] = [prompt.text] if kind == "text" else prompt.texts.values if kind == "texts" else ()
    return [_text(text) for text in texts]


def _text(text: str) -> Part:
    return {"type": "text", "content": text}


def _file(uri: str, mime_type: str) -> Part:
    kept = uri if not uri.startswith("data:") else f"{uri.partition(',')[0]},"
    modality = mime_type.partition("/")[0]
    return {"type": "uri", "modality": modality, "mime_type": mime_type, "uri": kept}
