"""Dialogs in rows and as messages."""

from __future__ import annotations

from typing import Any

import pytest

from services.training.dialogs import dialog_of, messages_of

ATTACHMENT = {"url": "http://host/x.png", "mime_type": "image/png"}
WHOLE: list[dict[str, Any]] = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": ["look", ATTACHMENT]},
    {"role": "user", "content": ATTACHMENT},
    {
        "role": "assistant",
        "content": "",
        "stop_reason": "end_of_message",
        "tool_calls": [
            {"call_id": "1", "tool_name": "brave_search", "arguments": {"query": "x", "n": 2**70, "deep": [1.5, None]}},
            {"call_id": "2", "tool_name": "mine", "arguments": {}},
        ],
    },
    {"role": "ipython", "call_id": "1", "tool_name": "brave_search", "content": "found"},
    {"role": "assistant", "content": "done", "stop_reason": "end_of_turn", "tool_calls": []},
]


def test_the_form_of_the_rfc_comes_back_as_it_was() -> None:
    assert dialog_of(messages_of(WHOLE)) == WHOLE


def test_other_forms_become_that_of_the_rfc() -> None:
    function = {"name": "f", "arguments": '{"x": 1}'}
    dialog = [
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c", "content": "2"},
        {"role": "user", "content": {"url": {"uri": "http://host/x.png"}, "mime_type": "image/png"}, "weight": 1},
    ]
    assert dialog_of(messages_of(dialog)) == [
        {
            "role": "assistant",
            "content": "",
            "stop_reason": "end_of_turn",
            "tool_calls": [{"call_id": "c", "tool_name": "f", "arguments": {"x": 1}}],
        },
        {"role": "ipython", "call_id": "c", "tool_name": "tool", "content": "2"},
        {"role": "user", "content": ATTACHMENT},
    ]


@pytest.mark.parametrize("call", [{}, {"tool_name": "f"}, {"tool_name": "", "arguments": {}}])
def test_a_call_in_no_known_form_is_refused(call: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a tool call with call_id, tool_name and arguments is needed"):
        messages_of([{"role": "assistant", "content": "", "tool_calls": [call]}])
