"""The task that Llama Guard 3 is given about a conversation, and its verdict.

Pure: who asks the model, and what a violation leads to, is not known here. Source: the published model card.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from llamastack.common.v1.message_pb2 import Message
from mesh.errors import InvalidField, WrongState
from services.agents.safety.guard_task import AGENT, CATEGORIES, USER, task
from services.agents.safety.message_text import text_of

MAX_NEW_TOKENS: Final = 20
"""Tokens that a verdict takes at most; ask for no more."""

RETURN_MESSAGE: Final = "I can't answer that. Can I help with something else?"
"""What a user is told instead of a violating message."""

_MARKER: Final = re.compile(r"<((?:BEGIN|END) (?:UNSAFE CONTENT CATEGORIES|CONVERSATION))>", re.IGNORECASE)
_VERDICT: Final = re.compile(r"safe|unsafe\n(S\d{1,2}(?:\s*,\s*S\d{1,2})*)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says: the violated categories' codes in its order, without excluded ones; empty when safe."""

    codes: tuple[str, ...]

    @property
    def is_safe(self) -> bool:
        """Whether nothing is violated."""
        return not self.codes

    @property
    def violation_type(self) -> str:
        """The codes as the RFC's response has them, joined by commas."""
        return ",".join(self.codes)


def task_text(messages: Sequence[Message], excluded: Collection[str] = ()) -> str:
    """Return the text of the one user message that asks about the last message of a conversation.

    System messages are left out. Roles are User for users and tools, because what a tool brings in is no word of the
    model, and Agent for the model. Files are named by their media type, for the guard reads texts only.

    Args:
        messages: the conversation, oldest first; at least one that is no system message.
        excluded: codes of categories to leave out.

    Raises:
        InvalidField: there is nothing to judge, or every category is excluded.
    """
    spoken = [message for message in messages if message.WhichOneof("message") not in (None, "system")]
    if not spoken:
        raise InvalidField("messages", "must hold a message of a user, a tool or an assistant")
    codes = [code for code in CATEGORIES if code not in excluded]
    if not codes:
        raise InvalidField("excluded_categories", "must leave a category to judge by")
    return task(_role(spoken[-1]), codes, [(_role(message), _text(message)) for message in spoken])


def read_verdict(output: str, excluded: Collection[str] = ()) -> Verdict:
    """Return the verdict that the guard's output states.

    Raises:
        WrongState: the output is neither ``safe`` nor ``unsafe`` with a line of known codes, so that the model is no
            guard; the shield must be taken to have failed, not to have said safe.
    """
    found = _VERDICT.fullmatch(output.strip())
    if found is None:
        raise WrongState("The guard model gave no verdict that can be read.")
    codes = [code.strip() for code in found[1].split(",")] if found[1] else []
    if any(code not in CATEGORIES for code in codes):
        raise WrongState("The guard model named a category that does not exist.")
    return Verdict(tuple(dict.fromkeys(code for code in codes if code not in excluded)))


def _role(message: Message) -> str:
    return AGENT if message.WhichOneof("message") == "completion" else USER


def _text(message: Message) -> str:
    """Return what a message says; text that imitates the marks of the task loses their brackets."""
    return _MARKER.sub(r"\1", text_of(message))
