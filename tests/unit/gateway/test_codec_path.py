"""Paths of fields become paths of members in the message's JSON."""

from __future__ import annotations

import pytest

from gateway.codec import Codec
from tests.contracts import POOL

CODEC = Codec(POOL)


@pytest.mark.parametrize(
    ("path", "json_path"),
    [
        ("", ""),
        ("model", "model"),
        ("messages[0].user.content.text", "messages[0].content"),
        ("messages[2].user.content.parts.parts[1].attachment.url.uri", "messages[2].content[1].url"),
        ("messages[0].message", "messages[0]"),
        ("messages[0].content", "messages[0].content"),
        (
            'messages[0].completion.tool_calls[3].arguments["a.b"].integer_value',
            'messages[0].tool_calls[3].arguments["a.b"]',
        ),
        ('available_tools[0].parameters["x"].param_type', 'available_tools[0].parameters["x"].param_type'),
        ("guidance.guidance", "guidance.guidance"),
        ("sampling_params.strategy", "sampling_params.strategy"),
        ("no_such.field[1]", "no_such.field[1]"),
        ('model["unterminated', 'model["unterminated'),
    ],
)
def test_the_path_of_a_field_is_the_path_in_its_json(path: str, json_path: str) -> None:
    assert CODEC.json_path("llamastack.inference.v1.ChatCompletionRequest", path) == json_path
