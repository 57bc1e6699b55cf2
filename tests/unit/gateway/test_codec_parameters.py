"""Texts of paths and queries become the JSON values that fields take."""

from __future__ import annotations

import pytest

from gateway.codec import Codec, CodecSettings, DecodeError
from tests.contracts import POOL
from tests.unit.gateway.shapes import shape

CODEC = Codec(POOL)


@pytest.mark.parametrize(
    ("name", "pairs", "value"),
    [
        ("Scalars", [("string_value", "a"), ("int32Value", "7")], {"string_value": "a", "int32Value": "7"}),
        ("Scalars", [("bool_value", "true"), ("double_value", "1e3")], {"bool_value": True, "double_value": "1e3"}),
        ("Scalars", [("bool_value", "1")], {"bool_value": "1"}),
        ("Scalars", [("string_value", "true"), ("color", "red")], {"string_value": "true", "color": "red"}),
        (
            "Optionals",
            [("scalars.int32_value", "1"), ("scalars.color", "red")],
            {"scalars": {"int32_value": "1", "color": "red"}},
        ),
        ("Optionals", [("timestamp", "2024-08-20T12:00:00Z")], {"timestamp": "2024-08-20T12:00:00Z"}),
        (
            "Optionals",
            [("bool_wrapper", "false"), ("int64_wrapper", "5")],
            {"bool_wrapper": False, "int64_wrapper": "5"},
        ),
        ("Optionals", [("scalars", '{"int32_value":1}')], {"scalars": {"int32_value": 1}}),
        (
            "Repeateds",
            [("strings", "a"), ("bools", "true"), ("strings", "b")],
            {"strings": ["a", "b"], "bools": [True]},
        ),
        ("Maps", [("strings", '{"a":"b"}')], {"strings": {"a": "b"}}),
        ("Maps", [("strings.a", "b"), ("strings.c.d", "")], {"strings": {"a": "b", "c.d": ""}}),
        ("Options", [("system_id", "a"), ("action", "2")], {"system_id": "a", "action": 2}),
        (
            "Linked",
            [("link", "http://x"), ("links", "a"), ("measure", "5")],
            {"link": "http://x", "links": ["a"], "measure": "5"},
        ),
        ("Linked", [("link.uri", "http://x")], {"link": {"uri": "http://x"}}),
        ("Linked", [("figure", '{"kind":"circle"}')], {"figure": {"kind": "circle"}}),
    ],
)
def test_texts_are_values_of_their_fields(name: str, pairs: list[tuple[str, str]], value: object) -> None:
    message = shape(name)
    assert CODEC.parameters(message)(pairs) == value


@pytest.mark.parametrize(
    ("name", "pairs", "sentence"),
    [
        ("Circle", [("radios", "1")], "radios: expected one of the parameters radius, found an unknown one"),
        (
            "Optionals",
            [("scalars.x", "1")],
            "scalars.x: expected one of the parameters double_value, float_value, int32",
        ),
        ("Optionals", [("name.x", "1")], "name.x: expected one of the parameters "),
        ("Repeateds", [("scalars.int32_value", "1")], "scalars.int32_value: expected one of the parameters "),
        ("Scalars", [("int32_value", "1"), ("int32_value", "1")], "int32_value: expected one value, found two"),
        ("Optionals", [("scalars", "1"), ("scalars.color", "red")], "scalars.color: expected an object, found 1"),
        ("Optionals", [("scalars.color", "red"), ("scalars", "{}")], "scalars: expected one value, found two"),
        ("Maps", [("strings.a", "b"), ("strings.a", "b")], "strings.a: expected one value, found two"),
        ("Maps", [("strings", "1"), ("strings.a", "b")], "strings.a: expected an object, found 1"),
        ("Optionals", [("scalars", "{")], "scalars: expected a JSON document, found "),
        (
            "Linked",
            [("figure.circle.radius", "1")],
            "figure.circle.radius: expected a JSON document as the value of figure, found a name inside of it",
        ),
    ],
)
def test_a_bad_parameter_is_named(name: str, pairs: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(DecodeError) as caught:
        CODEC.parameters(shape(name))(pairs)
    assert str(caught.value).startswith(sentence)


def test_unknown_parameters_are_passed_over_when_so_set() -> None:
    codec = Codec(POOL, CodecSettings(ignore_unknown_query_parameters=True))
    assert codec.parameters(shape("Circle"))([("x", "1"), ("a.b", "1"), ("radius", "2")]) == {"radius": "2"}


@pytest.mark.parametrize(
    ("path", "json_path"),
    [
        ("", ""),
        ("model", "model"),
        ("messages[0].user.content.text", "messages[0].content"),
        ("messages[2].user.content.parts.parts[1].attachment.url.uri", "messages[2].content[1].url"),
        ("messages[0].message", "messages[0]"),
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
