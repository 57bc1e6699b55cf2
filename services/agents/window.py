"""How much a model reads at once, and how much of that a prompt takes, as far as it can be known from outside.

The length of the context is the inference service's own. Tokens are estimated by the rule of ``mesh.token_rule``,
corrected by what the service counted for the last long prompt of the model; where an estimate was too small, the
service refuses the prompt, and a smaller one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol

from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from mesh import token_rule
from services.agents.toolbox import name_of
from services.agents.trimming import Outline, Trimmed, trimmed

_KEPT_S: Final = 60.0
_KEPT: Final = 1000
"""Models whose windows are kept; names of models come from callers."""

_IMAGE: Final = 1600
_HEADER: Final = 6
"""Tokens around each message: its role and its end."""

_SYSTEM: Final = 64
"""Tokens of what inference adds to a prompt: dates, environment."""

_TELLING: Final = 200
"""Tokens below which a prompt says nothing of how a model counts, for what surrounds the text outweighs it."""

_MARGIN: Final = 1.05
_MOST_OFF: Final = 4.0
"""How many times a model counts more or less than the rule, at most."""

_WORTH_COUNTING: Final = 8
"""The part of the context, in bytes, below which a prompt is too short to be looked at."""

_REFUSED: Final = 0.75
"""The part of a prompt that was refused that is tried next."""


class Lengths(Protocol):
    """Someone who knows how long the contexts of models are."""

    async def context_length(self, model: str) -> int | None:
        """Return the tokens that a model reads and writes at most; 0 if it has not said, None if nobody can say now."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of a context a prompt may take.

    Attributes:
        prompt_tokens: at most; None for what the context holds, 0 for no limit, whatever the context holds.
        answer_tokens: left for the answer where a request states none; a quarter of the context at most.
    """

    prompt_tokens: int | None = None
    answer_tokens: int = 1024


class Window:
    """What one model reads at once; ``length`` 0 is not known."""

    def __init__(self, length: int, allowance: Allowance) -> None:
        """Begin with the rule as it is."""
        self.length = length
        self._allowance = allowance
        self._factor = 1.0

    def room(self, config: AgenticSystemInstanceConfig) -> int | None:
        """Return the tokens that a prompt of a system may take; None for any number."""
        allowed = self._allowance.prompt_tokens
        if allowed == 0 or not (allowed or self.length):
            return None
        if not self.length:
            return allowed
        stated = config.sampling_params.max_tokens
        kept = min(stated, self.length // 2) if stated else min(self._allowance.answer_tokens, self.length // 4)
        return min(allowed or self.length, self.length - kept)

    def fit(self, request: ChatCompletionRequest, outline: Outline, room: int | None) -> Trimmed:
        """Leave out of a request what does not fit into so many tokens, and return what became of its messages."""
        whole = Trimmed(request.messages)
        # no vocabulary takes more tokens than bytes
        if room is None or request.ByteSize() + _SYSTEM <= room:
            return whole
        around = self._tokens(_SYSTEM + sum(map(_told, request.available_tools)))
        made = trimmed(request.messages, outline, room - around, self._size)
        if made.is_whole:
            return whole
        kept = list(made.messages)
        del request.messages[:]
        request.messages.extend(kept)
        return made

    def counted(self, request: ChatCompletionRequest, tokens: int) -> None:
        """Learn from what the inference service counted for a prompt; 0 is not told."""
        if not tokens or request.ByteSize() < self.length // _WORTH_COUNTING:
            return
        estimate = _total(request)
        if estimate >= _TELLING:
            self._factor = min(_MOST_OFF, max(1 / _MOST_OFF, tokens / estimate))

    def refused(self, request: ChatCompletionRequest) -> int | None:
        """Learn from a prompt that was too long; return the room to try next, None when nothing is to be left out."""
        if self._allowance.prompt_tokens == 0:
            return None
        total = _total(request)
        if self.length:
            self._factor = min(_MOST_OFF, max(self._factor, self.length / total))
        return int(self._tokens(total) * _REFUSED)

    def _size(self, message: Message) -> int:
        return self._tokens(_estimate(message))

    def _tokens(self, estimate: int) -> int:
        return ceil(estimate * self._factor * _MARGIN)


class Windows:
    """The windows of all models that were asked lately; ``clock`` gives seconds."""

    def __init__(self, lengths: Lengths, allowance: Allowance, clock: Callable[[], float]) -> None:
        """Begin with none."""
        self._lengths = lengths
        self._allowance = allowance
        self._clock = clock
        self._known: dict[str, tuple[float, Window]] = {}

    async def of(self, model: str) -> Window:
        """Return the window of a model; its length is asked for once a minute."""
        at, window = self._known.get(model, (-_KEPT_S, None))
        if window is not None and self._clock() - at < _KEPT_S:
            return window
        if window is not None:
            # others go by what was known while one asks
            self._keep(model, window)
        length = await self._lengths.context_length(model)
        if window is None or window.length != (length or window.length):
            window = Window(length or 0, self._allowance)
        if length is not None:
            self._keep(model, window)
        return window

    def _keep(self, model: str, window: Window) -> None:
        self._known.pop(model, None)
        self._known[model] = (self._clock(), window)
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]


def _total(request: ChatCompletionRequest) -> int:
    return _SYSTEM + sum(map(_estimate, request.messages)) + sum(map(_told, request.available_tools))


def _told(tool: ToolDefinition) -> int:
    parameters = sum(
        _HEADER + token_rule.count(f"{name} {parameter.param_type} {parameter.description}")
        for name, parameter in tool.parameters.items()
    )
    return 2 * _HEADER + token_rule.count(f"{name_of(tool.tool_name)} {tool.description}") + parameters


def _estimate(message: Message) -> int:
    held = getattr(message, str(message.WhichOneof("message")))
    total = _HEADER + _of_content(held.content)
    for call in message.completion.tool_calls:
        # names and values in their text form; keys and signs of JSON are about what the format takes
        total += _HEADER + token_rule.count(name_of(call.tool_name))
        total += sum(token_rule.count(f"{key} {value}") for key, value in call.arguments.items())
    return total


def _of_content(content: Content) -> int:
    if content.WhichOneof("content") == "text":
        return token_rule.count(content.text)
    parts = content.parts.parts
    if content.WhichOneof("content") == "attachment":
        return _IMAGE
    return sum(_IMAGE if part.WhichOneof("part") == "attachment" else token_rule.count(part.text) for part in parts)
