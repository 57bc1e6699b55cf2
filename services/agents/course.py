"""What the steps of one turn share while it runs, and how a turn can stop before its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from services.agents.journal import Journal
from services.agents.prompt import Reading, refusal
from services.agents.toolbox import Toolbox
from services.agents.trimming import Outline
from services.agents.turn import StoredTurn
from services.agents.window import Window


@dataclass(slots=True)
class Course:
    """One run of a turn.

    Attributes:
        turn: the turn.
        journal: what is written of it.
        toolbox: its tools.
        reading: how files are read, and which were found so far.
        clock: gives Unix seconds.
        window: what the model reads at once.
        outline: where earlier turns are in the prompt.
        messages: the prompt, which grows as the turn goes on.
        opening: the messages that the turn began with, without what memory found for them.
        authorization: the Authorization header of the caller who began the turn, as long as their process runs it.
    """

    turn: StoredTurn
    journal: Journal
    toolbox: Toolbox
    reading: Reading
    clock: Callable[[], float]
    window: Window
    outline: Outline = field(default_factory=Outline)
    messages: list[Message] = field(default_factory=list)
    opening: list[Message] = field(default_factory=list)
    authorization: str | None = None


class Paused(Exception):
    """The turn waits for a person; everything about it is written."""


class Violated(Exception):
    """A shield ends the turn; ``output`` is said instead of an answer."""

    def __init__(self, text: str) -> None:
        """Keep what is said."""
        super().__init__("a shield ended the turn")
        self.output: CompletionMessage = refusal(text)
