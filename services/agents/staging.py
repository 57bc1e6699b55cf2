"""Sets a turn up with all that its loop works on: the prompt, the tools, the files, the banks; and plays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from llamastack.common.v1.message_pb2 import CompletionMessage
from services.agents import prompt
from services.agents.course import Course
from services.agents.filing import Filing
from services.agents.journal import Journal
from services.agents.loop import Loop, Means
from services.agents.prompt import Reading
from services.agents.sessions import Sessions
from services.agents.toolbox import toolbox
from services.agents.tools.caller import calling_with
from services.agents.trimming import Outline
from services.agents.turn import Detail, StoredTurn
from services.agents.turns import Turns
from services.agents.window import Windows


@dataclass(frozen=True, slots=True)
class Props:
    """What is looked up for a turn; ``history_turns`` is how many of those before it, at most."""

    turns: Turns
    sessions: Sessions
    means: Means
    windows: Windows
    history_turns: int


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a turn from the call that began it, and has to be done without or read when nobody calls.

    Attributes:
        authorization: the Authorization header.
        bank_ids: the banks of the session.
    """

    authorization: str | None = None
    bank_ids: tuple[str, ...] | None = None


NOBODY: Final = Caller()


class Player(Protocol):
    """Someone who plays turns."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        ...

    async def play(self, turn: StoredTurn, journal: Journal, caller: Caller) -> CompletionMessage:
        """Return the output of a turn; see :meth:`Stage.play`."""
        ...


class Stage:
    """Plays turns. ``clock`` gives Unix seconds."""

    def __init__(self, props: Props, clock: Callable[[], float]) -> None:
        """Keep the parts."""
        self._props = props
        self._clock = clock

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._clock()

    async def play(self, turn: StoredTurn, journal: Journal, caller: Caller) -> CompletionMessage:
        """Return the output of a turn.

        Raises:
            Paused: a person has to allow tool calls first.
            MeshError: the turn can't go on.
        """
        props, means = self._props, self._props.means
        # servers may tell of their tools to the caller alone
        with calling_with(caller.authorization):
            tools = await toolbox(turn.config, turn.tenant, means.tools)
        attached = caller.bank_ids
        if attached is None:
            attached = (await props.sessions.get(turn.tenant, turn.system_id, turn.session_id)).bank_ids
        past = _whole(await props.turns.completed(turn.session_id, props.history_turns), props.history_turns)
        reading = Reading(tools.runs_code, sees=False)
        if not tools.runs_code and _images(turn, past):
            reading.sees = await means.model.is_multimodal(turn.config.model)
        window = await props.windows.of(turn.config.model)
        course = Course(turn, journal, tools, reading, self._clock, window, authorization=caller.authorization)
        leading, turns = prompt.instructions(turn.config), [prompt.history(one, reading) for one in past]
        course.outline = Outline(len(leading), tuple(map(len, turns)))
        course.messages = [*leading, *chain.from_iterable(turns)]
        # what earlier turns brought is in the session's bank already
        reading.documents.clear()
        course.opening = prompt.opening(turn.request, reading)
        course.messages += course.opening
        filing = Filing(means.banks, props.sessions)
        return await Loop(means, filing, course).run(list(attached))


def _whole(past: list[Detail], most: int) -> list[Detail]:
    """Return turns without those at the beginning that answer calls of turns before them, which were not read."""
    begin = 0
    while len(past) == most and begin < most and past[begin].turn.request.messages[0].HasField("tool_response"):
        begin += 1
    return past[begin:]


def _images(turn: StoredTurn, past: list[Detail]) -> bool:
    """Return whether there is an image in what users attached or tools gave."""
    requests = [turn.request, *(detail.turn.request for detail in past)]
    attached = [file for request in requests for _, file in prompt.attachments_of(request)]
    made = [file for detail in past for file in detail.files]
    return any(prompt.is_image(file) for file in [*attached, *made])
