"""Free JSON keeps every digit between text and messages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamastack.common.v1.value_pb2 import JsonValue
from mesh.json_text import MAX_DEPTH, Loose, loose_of, read, value_of, write

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Loose] = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)
TOO_DEEP = "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2)


@given(values)
def test_a_value_survives_the_way_through_a_message_and_text(value: Loose) -> None:
    message = value_of(value)
    written = write(JsonValue.FromString(message.SerializeToString()))
    assert value_of(read(written)[0]) == message
    assert loose_of(message) == json.loads(written) == value


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("9223372036854775807", "integer_value"),
        ("9223372036854775808", "big_integer_value"),
        ("-9223372036854775808", "integer_value"),
        ("-9223372036854775809", "big_integer_value"),
        ("1.0", "number_value"),
        ("1e+22", "number_value"),
        ("9" * 6000, "big_integer_value"),
    ],
)
def test_numbers_are_written_as_they_were_read(written: str, kind: str) -> None:
    message = value_of(read(written)[0])
    assert (message.WhichOneof("kind"), write(message)) == (kind, written)


def test_an_integer_beyond_python_stays_a_message() -> None:
    message = JsonValue(big_integer_value="9" * 6000)
    assert loose_of(message) == message


def test_python_literals_differ_in_their_words_only() -> None:
    message = value_of({"b": [None, True, False], "a": "é\n"})
    assert write(message, python=True) == '{"a": "é\\n", "b": [None, True, False]}'
    assert write(message) == '{"a": "é\\n", "b": [null, true, false]}'
    assert write(JsonValue()) == "null"


@pytest.mark.parametrize("written", ["", "[1", "NaN", "-Infinity", "{'a': 1}", "[" * 100_000])
def test_what_is_no_json_is_a_value_error(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(written)


@pytest.mark.parametrize("written", ["1e999", '"\\ud800"', '{"\\ud800": 1}', TOO_DEEP])
def test_what_a_message_cannot_hold_is_a_value_error(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        value_of(read(written)[0])


def test_the_deepest_value_passes_the_wire() -> None:
    message = value_of(read('{"a": ' * MAX_DEPTH + "1" + "}" * MAX_DEPTH)[0])
    assert JsonValue.FromString(message.SerializeToString()) == message
