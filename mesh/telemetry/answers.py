"""What the answer to a call says about it, put together message by message; see ``mesh.telemetry.conventions``.

Everything is read by the names of fields, so that the RFC's contracts and the OpenAI-compatible ones are read alike.
Reasons to stop are told in the conventions' words: ``stop``, ``length``, ``tool_call``, ``content_filter``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import Message

from mesh.telemetry.conventions import CALL, ERROR, TURN, Attributes, scalar

_TOKENS: Final = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
}
INPUT, OUTPUT = _TOKENS["prompt_tokens"], _TOKENS["completion_tokens"]
_NAMED: Final = {"id": "gen_ai.response.id", "model": "gen_ai.response.model"}
_CHOICES: Final = "choices"
_BATCH: Final = "completion_message_batch"
_STOPS: Final = {
    "STOP_REASON_END_OF_TURN": "stop",
    "STOP_REASON_END_OF_MESSAGE": "stop",
    "STOP_REASON_OUT_OF_TOKENS": "length",
    "FINISH_REASON_STOP": "stop",
    "FINISH_REASON_LENGTH": "length",
    "FINISH_REASON_TOOL_CALLS": "tool_call",
    "FINISH_REASON_CONTENT_FILTER": "content_filter",
}
_FAILURES: Final = {"TOOL_RUN_STATUS_ERROR": "tool_error", "TOOL_RUN_STATUS_TIMEOUT": "timeout"}
_PARSED: Final = "TOOL_CALL_PARSE_STATUS_SUCCESS"
_DEPTH: Final = 5
# what these hold is told by spans of their own
_ASIDE: Final = frozenset({"step_complete", "step_progress"})


class Answered:
    """What the messages of one answer tell, as attributes."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._told: Attributes = {}
        self._tokens: dict[str, int] = {}
        self._stops: dict[int, str] = {}
        self._calling: set[int] = set()

    def add(self, message: Message) -> None:
        """Take the next message, or the only one."""
        inner, index = message, 0
        if "response" in message.DESCRIPTOR.fields_by_name and "index" in message.DESCRIPTOR.fields_by_name:
            inner, index = message.response, message.index  # type: ignore[attr-defined]  # its descriptor says so
        for part in _nested(inner, _DEPTH):
            self._note_usage(part, adding=inner is not message)
            self._note_stop(part, index)
            if turn := scalar(part, "turn_id"):
                self._told.setdefault(TURN, turn)
        for choice in getattr(inner, _CHOICES, ()):
            self._note_stop(choice, choice.index)
        for place, each in enumerate(getattr(inner, _BATCH, ())):
            self._note_stop(each, place)
        if call := scalar(message, "call_id"):
            self._told[CALL] = call
        if failure := _FAILURES.get(_word(message, "status")):
            self._told[ERROR] = failure
        if hasattr(inner, _CHOICES) or hasattr(inner, "data"):
            named = ((attribute, scalar(inner, name)) for name, attribute in _NAMED.items())
            self._told |= {attribute: value for attribute, value in named if value is not None}
        if width := _width(inner):
            self._told["gen_ai.embeddings.dimension.count"] = width

    def attributes(self) -> Attributes:
        """Return what was told so far."""
        found: Attributes = {**self._told, **self._tokens}
        if self._stops:
            stops = sorted(self._stops.items())
            found["gen_ai.response.finish_reasons"] = [
                "tool_call" if stop == "stop" and index in self._calling else stop for index, stop in stops
            ]
        return found

    def _note_usage(self, part: Message, *, adding: bool) -> None:
        if not part.DESCRIPTOR.name.endswith(("Usage", "PromptTokensDetails")):
            return
        for name, attribute in _TOKENS.items():
            count = scalar(part, name)
            # nothing out of a cache is not worth telling
            if isinstance(count, int) and (count or name != "cached_tokens"):
                self._tokens[attribute] = count + (self._tokens.get(attribute, 0) if adding else 0)

    def _note_stop(self, part: Any, index: int) -> None:
        fields = part.DESCRIPTOR.fields_by_name
        if _word(part, "parse_status") == _PARSED or len(getattr(part, "tool_calls", ())):
            self._calling.add(index)
        for name in ("stop_reason", "finish_reason"):
            if name in fields and (stop := _STOPS.get(_word(part, name))):
                self._stops[index] = stop


def usage(message: Message) -> tuple[int, int] | None:
    """Return the tokens of prompt and answer that a message tells, None if it tells none."""
    told = Answered()
    told.add(message)
    found = told.attributes()
    if INPUT not in found:
        return None
    return int(found[INPUT]), int(found.get(OUTPUT, 0))  # type: ignore[arg-type]  # they are numbers


def says(message: Any) -> bool:
    """Return whether a message of a stream holds something of the answer itself, and not only that it began."""
    event = getattr(message, "event", message)
    delta = getattr(event, "delta", None)
    if isinstance(delta, str):
        return bool(delta)
    if delta is not None:
        return bool(delta.text or delta.WhichOneof("delta") == "tool_call")
    return any(_choice_says(choice) for choice in getattr(message, _CHOICES, ()))


def _choice_says(choice: Any) -> bool:
    delta = getattr(choice, "delta", None)
    return bool(choice.text) if delta is None else bool(delta.content or delta.tool_calls)


def _word(part: Message, name: str) -> str:
    """Return the name of the value of an enum field; empty where there is no such field."""
    field = part.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.enum_type is None:
        return ""
    value = field.enum_type.values_by_number.get(getattr(part, name))
    return "" if value is None else str(value.name)


def _width(message: Any) -> int:
    """Return the numbers of each vector of an answer with embeddings, 0 for any other answer."""
    for vector in getattr(message, "embeddings", ()):
        return len(vector.values)
    for item in getattr(message, "data", ()):
        return len(item.embedding.values.values)
    return 0


def _nested(message: Message, depth: int) -> Iterator[Message]:
    """Yield a message and the single messages that are set within it."""
    yield message
    if depth:
        for field, value in message.ListFields():
            if field.message_type is not None and not field.is_repeated and field.name not in _ASIDE:
                yield from _nested(value, depth - 1)
