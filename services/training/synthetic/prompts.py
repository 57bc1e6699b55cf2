"""What is answered: dialogs, out of a flat list of messages or out of the rows of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, UserMessage
from mesh.errors import InvalidField
from services.training.dialogs import messages_of, text_of
from services.training.revisions import ColumnType

PROMPT: Final = "prompt"
REFERENCE: Final = "reference"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A dialog to be answered, and the right answer if it is known."""

    dialog: tuple[Message, ...]
    reference: str | None = None


def split(messages: Sequence[Message]) -> list[Prompt]:
    """Return the dialogs of a flat list: each user message ends one, which begins after the last one.

    System messages at the head of the list lead every dialog.

    Raises:
        InvalidField: the list does not end with a user message.
    """
    roles = [message.WhichOneof("message") for message in messages]
    head = next((index for index, role in enumerate(roles) if role != "system"), len(roles))
    prompts = []
    start = head
    for index in range(head, len(messages)):
        if roles[index] == "user":
            prompts.append(Prompt((*messages[:head], *messages[start : index + 1])))
            start = index + 1
    if messages and (start < len(messages) or not prompts):
        raise InvalidField("dialogs", "a list that ends with a user message is needed")
    return prompts


def column_of(columns: Mapping[str, ColumnType]) -> str:
    """Return the column that holds the prompts: the first one of type dialog by name, else ``prompt``.

    Raises:
        InvalidField: there is neither.
    """
    dialogs = sorted(name for name, kind in columns.items() if kind is ColumnType.DIALOG)
    if dialogs:
        return dialogs[0]
    if columns.get(PROMPT) is ColumnType.TEXT:
        return PROMPT
    raise InvalidField("dataset.columns", "a column of type dialog or a column `prompt` of type text is needed")


def prompt_of(row: Mapping[str, Any], column: str) -> Prompt:
    """Return the prompt of a row; an answer at the end of its dialog is the reference.

    Raises:
        ValueError: the dialog has a tool call in no known form, or nothing that could be answered.
    """
    value = row[column]
    if isinstance(value, str):
        reference = row.get(REFERENCE)
        user = Message(user=UserMessage(content=Content(text=value)))
        return Prompt((user,), reference if isinstance(reference, str) else None)
    messages = messages_of(value)
    if messages[-1].WhichOneof("message") != "completion":
        return Prompt(tuple(messages))
    if len(messages) == 1:
        raise ValueError("a message before the answer is needed")
    return Prompt(tuple(messages[:-1]), text_of(messages[-1].completion.content))
