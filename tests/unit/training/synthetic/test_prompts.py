"""Flat lists of messages and rows of datasets as prompts."""

from __future__ import annotations

from typing import Any

import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, SystemMessage, UserMessage
from mesh.errors import InvalidField
from services.training.revisions import ColumnType
from services.training.synthetic.prompts import Prompt, column_of, prompt_of, split


def user(text: str) -> Message:
    return Message(user=UserMessage(content=Content(text=text)))


def system(text: str) -> Message:
    return Message(system=SystemMessage(content=Content(text=text)))


def assistant(text: str) -> Message:
    return Message(completion=CompletionMessage(content=Content(text=text), stop_reason="STOP_REASON_END_OF_TURN"))


def test_each_user_message_ends_a_dialog_which_begins_after_the_last_one() -> None:
    messages = [system("s"), system("t"), user("a"), assistant("b"), system("u"), user("c")]
    assert split(messages) == [
        Prompt((system("s"), system("t"), user("a"))),
        Prompt((system("s"), system("t"), assistant("b"), system("u"), user("c"))),
    ]
    assert split([]) == []


@pytest.mark.parametrize("messages", [[system("s")], [user("a"), assistant("b")], [assistant("a")]])
def test_a_list_that_does_not_end_with_a_user_message_is_refused(messages: list[Message]) -> None:
    with pytest.raises(InvalidField, match="dialogs: a list that ends with a user message is needed"):
        split(messages)


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ({"prompt": "a"}, "prompt", Prompt((user("a"),))),
        ({"prompt": "a", "reference": "b"}, "prompt", Prompt((user("a"),), "b")),
        ({"d": [{"role": "user", "content": "a"}]}, "d", Prompt((user("a"),))),
        (
            {"d": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            "d",
            Prompt((user("a"),), "b"),
        ),
    ],
)
def test_a_row_is_a_prompt_with_its_reference(row: dict[str, Any], column: str, expected: Prompt) -> None:
    assert prompt_of(row, column) == expected


def test_a_dialog_of_an_answer_alone_can_not_be_answered() -> None:
    with pytest.raises(ValueError, match="a message before the answer is needed"):
        prompt_of({"d": [{"role": "assistant", "content": "a"}]}, "d")


def test_the_first_dialog_comes_before_a_column_of_texts() -> None:
    text, dialog = ColumnType.TEXT, ColumnType.DIALOG
    assert column_of({"prompt": text, "z": dialog, "b": dialog}) == "b"
    assert column_of({"prompt": text, "a": text}) == "prompt"
    with pytest.raises(InvalidField):
        column_of({"a": text})
