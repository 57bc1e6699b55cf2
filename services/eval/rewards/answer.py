"""An answer to a dialog, what it is worth, and who can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llamastack.common.v1.content_pb2 import Content, ContentPart
from llamastack.common.v1.message_pb2 import Message
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from mesh.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the dialog before it, the message, the right answer where one is known, and its dialog's path."""

    dialog: Sequence[Message]
    message: Message
    reference: str | None
    path: str

    @property
    def text(self) -> str:
        """What the answer says."""
        return text_of(self.message)

    def known_reference(self) -> str:
        """Return the right answer.

        Raises:
            InvalidField: none was given.
        """
        if self.reference is None:
            raise InvalidField(f"{self.path}.reference", "the reward compares with a reference")
        return self.reference


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer is worth, and why, for a person."""

    value: float
    explanation: str | None = None


class Scorer(Protocol):
    """Scores by one kind of reward function."""

    async def score(self, reward: RewardFunction, answers: Sequence[Answer]) -> list[Score]:
        """Return one score per answer, in order.

        Raises:
            MeshError: an answer can't be scored; paths of the reward begin with ``reward``.
        """
        ...


def text_of(message: Message) -> str:
    """Return what a message says; files are named by their media type."""
    kind = message.WhichOneof("message")
    return "" if kind is None else _content(getattr(message, kind).content)


def _content(content: Content) -> str:
    match content.WhichOneof("content"):
        case "parts":
            return "".join(map(_part, content.parts.parts))
        case "attachment":
            return _part(ContentPart(attachment=content.attachment))
        case _:
            return content.text


def _part(part: ContentPart) -> str:
    is_file = part.WhichOneof("part") == "attachment"
    return f"[file of type {part.attachment.mime_type}]" if is_file else part.text
