"""What a prompt leaves out so that it fits into the model's context. Pure; sizes are in tokens, as the caller counts.

Instructions and what the turn began with always stay. The rest goes in this order, oldest first, as far as it has to:
results of the turn itself are clipped to half of the room each; results in earlier turns are clipped to a stub; earlier
turns are left out; results of all but the newest calls of the turn are clipped to a stub; those calls are left out with
their results; the newest results share what room there is. A call and its results stay together or go together, also
where the client ran the tool and the result began the next turn.

What earlier turns lose is rounded up to whole quarters of the room, so that a conversation that grows begins alike for
several turns: a model that remembers the beginnings of its prompts (prefix caching) profits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from llamastack.common.v1.content_pb2 import Content, ContentPart, ContentParts
from llamastack.common.v1.message_pb2 import Message, ToolResponseMessage
from services.agents.tools.clipping import clip

Size = Callable[[Message], int]

_STUB: Final = 200
"""Characters that are left of a result that is clipped for the sake of newer messages."""

_QUARTERS: Final = 4


@dataclass(frozen=True, slots=True)
class Outline:
    """Where the parts of a prompt are: ``leading`` messages of instructions, then so many of each earlier turn."""

    leading: int = 0
    past: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A prompt, with how many messages it lacks and how many results in it are clipped."""

    messages: Sequence[Message]
    left_out: int = 0
    clipped: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return not (self.left_out or self.clipped)


def trimmed(messages: Sequence[Message], outline: Outline, room: int, size: Size) -> Trimmed:
    """Return a prompt that takes at most ``room`` tokens, as far as that can be."""
    work = _Work(messages, outline, size)
    if work.total > room:
        work.cap(work.rounds, room // 2)
        quarter = max(1, room // _QUARTERS)
        enough = work.total - ceil((work.total - room) / quarter) * quarter
        work.clip(work.past, enough)
        work.leave_out(work.past, enough)
        work.clip(work.rounds[:-1], room)
        work.leave_out(work.rounds[:-1], room)
        work.share(work.rounds[-1:], room)
    return work.done()


class _Work:
    """A prompt while it is trimmed; groups of messages are lists of places, oldest group first.

    ``past`` are the earlier turns, ``rounds`` the calls of the turn itself, each answer with the results it asked for.
    """

    def __init__(self, messages: Sequence[Message], outline: Outline, size: Size) -> None:
        self._given = messages
        self._messages: list[Message | None] = list(messages)
        self._size = size
        self._sizes = [size(message) for message in messages]
        self._clipped: set[int] = set()
        self.total = sum(self._sizes)
        turns, begin = [], outline.leading
        for length in outline.past:
            turns.append(list(range(begin, begin + length)))
            begin += length
        *self.past, own = _joined([*turns, list(range(begin, len(messages)))], messages)
        self.rounds = _rounds(own, messages)

    def cap(self, groups: Iterable[Sequence[int]], most: int) -> None:
        """Clip results that take more than so many tokens."""
        for place in self._results(groups):
            self._shrink(place, most)

    def clip(self, groups: Iterable[Sequence[int]], room: int) -> None:
        """Clip results to stubs, oldest first, until the prompt takes no more than so many tokens."""
        for place in self._results(groups):
            if self.total > room:
                self._clip(place, _STUB)

    def leave_out(self, groups: Iterable[Sequence[int]], room: int) -> None:
        """Leave groups out, oldest first, until the prompt takes no more than so many tokens."""
        for group in groups:
            if self.total <= room:
                return
            for place in group:
                self._messages[place] = None
                self.total -= self._sizes[place]
                self._clipped.discard(place)

    def share(self, groups: Iterable[Sequence[int]], room: int) -> None:
        """Clip results to equal shares of what the other messages leave; small ones leave more to the others."""
        places = sorted(self._results(groups), key=lambda place: self._sizes[place])
        budget = room - self.total + sum(self._sizes[place] for place in places)
        for number, place in enumerate(places):
            self._shrink(place, budget // (len(places) - number))
            budget -= self._sizes[place]

    def done(self) -> Trimmed:
        """Return what is left."""
        kept = [message for message in self._messages if message is not None]
        return Trimmed(kept, len(self._messages) - len(kept), len(self._clipped))

    def _results(self, groups: Iterable[Sequence[int]]) -> list[int]:
        return [place for group in groups for place in group if _is_result(self._given[place])]

    def _shrink(self, place: int, most: int) -> None:
        """Clip a result to about so many tokens, but not to less than a stub."""
        length = len(_text(self._given[place]))
        while self._sizes[place] > most and length > _STUB:
            # tokens are not spread evenly over a text
            length = max(_STUB, int(0.9 * length * max(0, most) / self._sizes[place]))
            self._clip(place, length)

    def _clip(self, place: int, most: int) -> None:
        given = self._given[place].tool_response
        cut = clip(_text(self._given[place]), most)
        parts = [part for part in given.content.parts.parts if part.WhichOneof("part") == "attachment"]
        content = Content(parts=ContentParts(parts=[ContentPart(text=cut), *parts])) if parts else Content(text=cut)
        made = ToolResponseMessage(call_id=given.call_id, tool_name=given.tool_name, content=content)
        message = Message(tool_response=made)
        size = self._size(message)
        if size < self._sizes[place]:
            self.total += size - self._sizes[place]
            self._messages[place], self._sizes[place] = message, size
            self._clipped.add(place)


def _joined(turns: Sequence[list[int]], messages: Sequence[Message]) -> list[list[int]]:
    """Return turns with each that brings the result of a call joined to the one that made the call."""
    groups: list[list[int]] = []
    for turn in turns:
        made = {call for place in turn for call in _calls(messages[place])}
        brought = {messages[place].tool_response.call_id for place in turn if _is_result(messages[place])} - made
        group = turn
        while groups and brought & {call for place in groups[-1] for call in _calls(messages[place])}:
            group = [*groups.pop(), *group]
        groups.append(group)
    return groups


def _rounds(places: Sequence[int], messages: Sequence[Message]) -> list[list[int]]:
    """Return each answer that made calls with the results of these."""
    rounds: list[list[int]] = []
    for place in places:
        if _calls(messages[place]):
            rounds.append([place])
        elif rounds and messages[place].tool_response.call_id in _calls(messages[rounds[-1][0]]):
            rounds[-1].append(place)
    return rounds


def _calls(message: Message) -> list[str]:
    return [call.call_id for call in message.completion.tool_calls]


def _is_result(message: Message) -> bool:
    return message.HasField("tool_response")


def _text(result: Message) -> str:
    content = result.tool_response.content
    return content.text or "".join(part.text for part in content.parts.parts)
