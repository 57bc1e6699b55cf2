"""The shape of a training dialog: what was said, what the system section enabled, and what the model should say.

It knows no skill and no prompt text; `template.py` renders a dialog.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["user", "assistant", "ipython"]
End = Literal["<|eot_id|>", "<|eom_id|>"]

NOT_FOUND = "I could not find that in the retrieved context."
UNKNOWN = "I do not know that. Give me a source or a search tool and I will look."


@dataclass(frozen=True)
class Message:
    """One message; `end` closes it, and `learned` says whether an assistant message is a training target."""

    role: Role
    content: str
    end: End = "<|eot_id|>"
    learned: bool = True


@dataclass(frozen=True)
class System:
    """The system section: server-side tools by name, whether code may run, date line and instructions."""

    tools: tuple[str, ...] = ()
    ipython: bool = False
    dates: str = ""
    instructions: str = ""


@dataclass(frozen=True)
class Dialog:
    """Messages that end with the assistant's answer, under an optional system section.

    `definitions` is the text of the user message that defines custom tools, or empty.
    """

    skill: str
    messages: tuple[Message, ...]
    system: System | None = None
    definitions: str = ""

    @property
    def answer(self) -> str:
        """The content of the last message, which the model has to produce."""
        return self.messages[-1].content


@dataclass(frozen=True)
class Side:
    """Which wording and which values a generator may draw."""

    wording: Literal["train", "held_out"] = "train"
    values: Literal["train", "test"] = "train"


TRAINING = Side()
UNSEEN_VALUES = Side("train", "test")
UNSEEN_WORDING = Side("held_out", "test")


def user(content: str) -> Message:
    """Return a user message."""
    return Message("user", content)


def answer(content: str, end: End = "<|eot_id|>", learned: bool = True) -> Message:
    """Return an assistant message."""
    return Message("assistant", content, end, learned)


def plain(skill: str, question: str, reply: str, system: System | None = None, end: End = "<|eot_id|>") -> Dialog:
    """Return a dialog of one question and one reply."""
    return Dialog(skill, (user(question), answer(reply, end)), system)


@dataclass
class Tally:
    """Counts of right answers per skill."""

    right: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)

    def add(self, skill: str, right: bool) -> None:
        """Count one case."""
        self.total[skill] = self.total.get(skill, 0) + 1
        self.right[skill] = self.right.get(skill, 0) + int(right)
