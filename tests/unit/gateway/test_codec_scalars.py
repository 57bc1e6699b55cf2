"""Scalars, timestamps and wrappers: what google.protobuf.json_format takes we take, and what differs is listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings

from gateway.codec import Codec, CodecSettings, DecodeError, EncodeError
from gateway.codec.plan import plan_of
from tests.contracts import MESSAGES, POOL
from tests.unit.gateway.shapes import shape
from tests.unit.gateway.strategies import Sample, samples

CODEC = Codec(POOL)
PROTO_JSON = Codec(POOL, CodecSettings(always_print_enums_as_ints=True, preserve_proto_field_names=False))
BUDGET = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def message_of(descriptor: Descriptor, wire: bytes) -> Message:
    """Return protobuf's own reading of wire bytes."""
    return message_factory.GetMessageClass(descriptor).FromString(wire)


def read(name: str, value: object) -> Message:
    """Return a message of `shapes.proto` that the codec reads out of a JSON value."""
    return message_of(shape(name), CODEC.decoder(shape(name))(json.dumps(value).encode()))


def written(name: str, **fields: Any) -> Any:
    """Return the JSON that the codec writes for a message of `shapes.proto`."""
    message = message_factory.GetMessageClass(shape(name))(**fields)
    return json.loads(CODEC.encoder(shape(name))(message.SerializeToString()))


def is_plain(message: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether neither a message nor what it holds has a JSON form of our own."""
    if message.full_name in seen:
        return True
    plan = plan_of(message)
    ours = plan.constant or (plan.inline and not message.full_name.startswith("google.protobuf."))
    if ours or any(field.aliases or field.required for field in plan.fields):
        return False
    seen |= {message.full_name}
    ordinal = any(field.descriptor.enum_type and field.enum.name == "Action" for field in plan.fields)
    return not ordinal and all(field.message is None or is_plain(field.message, seen) for field in plan.fields)


PLAIN = [message for message in MESSAGES if is_plain(message)]
PLAIN += [shape(name) for name in ("Scalars", "Optionals", "Repeateds", "Maps", "Tree")]


@pytest.mark.parametrize("message", PLAIN, ids=lambda message: message.full_name)
def test_messages_without_options_are_read_and_written_as_json_format_does(message: Descriptor) -> None:
    decode, encode = CODEC.decoder(message), PROTO_JSON.encoder(message)

    @BUDGET
    @given(samples(message))
    def check(sample: Sample) -> None:
        wire = sample.value.SerializeToString(deterministic=True)
        theirs = json_format.MessageToJson(sample.value)
        assert message_of(message, decode(theirs.encode())).SerializeToString(deterministic=True) == wire
        ours = json_format.Parse(encode(wire), message_factory.GetMessageClass(message)())
        assert ours.SerializeToString(deterministic=True) == wire

    check()


VALUES: list[object] = [
    *(0, 1, -1, 1.0, -1.0, 1.5, 1e3, 1e30, 1e300, 3.4028235e38, 3.5e38, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1),
    *(2**32 - 1, 2**32, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**30, -0.0),
    *(
        "0",
        "1",
        "-1",
        "01",
        "1.0",
        "1.5",
        "1e3",
        "",
        " 1",
        "1 ",
        "0x1",
        "1_000",
        "abc",
        "true",
        "NaN",
        "nan",
        "Infinity",
    ),
    *("-Infinity", "inf", "18446744073709551615", "18446744073709551616", "aGk=", "aGk", "-_8=", "+/8=", "é", "\0"),
    *(True, False, [], {}, [1], {"a": 1}, "red", "COLOR_RED", "RED", "٣"),
]
FIELDS = [field.name for field in plan_of(shape("Scalars")).fields]

# Where json_format takes more, because Python's own int() and float() read a text there, True is 1 and any text base64.
LOOSE_NUMERALS = ('"1_000"', '"\\u0663"')
STRICTER = {
    "double": {'"01"', '" 1"', '"1 "', '"inf"', "true", "false", *LOOSE_NUMERALS},
    "float": {'"01"', '" 1"', '"1 "', '"inf"', "true", "false", *LOOSE_NUMERALS},
    "bytes": {'"\\u00e9"', '"\\u0000"', '"\\u0663"'},
    "color": {
        "1.5",
        "4294967296",
        "-9223372036854775808",
        "true",
        "false",
        '"0"',
        '"1"',
        '"-1"',
        '"01"',
        '" 1"',
        '"1 "',
    }
    | set(LOOSE_NUMERALS),
    "integer": {'"01"', *LOOSE_NUMERALS},
}
# Where it takes less: our own spelling of enums, and the largest float in its shortest form.
LOOSER = {"color": {'"red"'}, "float": {"3.4028235e+38"}}


def outcomes(field: str, parse: Callable[[str], Any]) -> dict[str, object]:
    """Return what each value is read as, as text so that NaN is equal to itself, or "refused"."""
    found: dict[str, object] = {}
    for value in VALUES:
        try:
            found[json.dumps(value)] = repr(getattr(parse(json.dumps({field: value})), field))
        except (json_format.ParseError, DecodeError):
            found[json.dumps(value)] = "refused"
    return found


@pytest.mark.parametrize("field", FIELDS)
def test_a_scalar_takes_what_json_format_takes(field: str) -> None:
    make = message_factory.GetMessageClass(shape("Scalars"))
    ours = outcomes(field, lambda text: read("Scalars", json.loads(text)))
    theirs = outcomes(field, lambda text: json_format.Parse(text, make()))
    kind = field.removesuffix("_value")
    stricter = STRICTER.get(kind, set() if kind in ("bool", "string") else STRICTER["integer"])
    expected = {value: "refused" if value in stricter else outcome for value, outcome in theirs.items()}
    expected |= {value: ours[value] for value in LOOSER.get(kind, set())}
    assert ours == expected
    assert all(ours[value] != "refused" for value in LOOSER.get(kind, set()))


def test_scalars_are_written_as_numbers_and_in_the_shortest_form() -> None:
    json_value = written(
        "Scalars",
        double_value=0.1,
        float_value=0.1,
        int64_value=-(2**63),
        uint64_value=2**64 - 1,
        bytes_value=b"\xfb\xff",
        string_value='\u2028"é\0',
        color=2,
    )
    assert json_value == {
        "double_value": 0.1,
        "float_value": 0.1,
        "int32_value": 0,
        "int64_value": -(2**63),
        "uint32_value": 0,
        "uint64_value": 2**64 - 1,
        "sint32_value": 0,
        "sint64_value": 0,
        "fixed32_value": 0,
        "fixed64_value": 0,
        "sfixed32_value": 0,
        "sfixed64_value": 0,
        "bool_value": False,
        "string_value": '\u2028"é\0',
        "bytes_value": "+/8=",
        "color": "sky_blue",
    }


def test_numbers_that_json_lacks_are_names() -> None:
    assert written("Repeateds", doubles=[nan, inf, -inf], floats=[nan, inf, -inf])["doubles"] == [
        "NaN",
        "Infinity",
        "-Infinity",
    ]
    message: Any = read("Repeateds", {"floats": ["NaN", "Infinity", "-Infinity"]})
    assert repr(list(message.floats)) == "[nan, inf, -inf]"


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1970-01-01t00:00:00.5z", 0, 500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 0, 1),
        ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
        ("2024-08-20T14:00:00+02:00", 1_724_155_200, 0),
        ("2024-08-20T06:30:00-05:30", 1_724_155_200, 0),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
        ("0001-01-01T01:00:00+01:00", -62_135_596_800, 0),
    ],
)
def test_an_rfc_3339_time_is_read_with_its_offset_and_nanoseconds(text: str, seconds: int, nanos: int) -> None:
    message: Any = read("Optionals", {"timestamp": text})
    assert (message.timestamp.seconds, message.timestamp.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    "text",
    [
        *("2024-08-20", "2024-08-20T12:00:00", "2024-08-20 12:00:00Z", "20240820T120000Z", "2024-13-01T00:00:00Z"),
        *("2024-08-20T24:00:00Z", "2024-08-20T12:00:60Z", "2024-08-20T12:00:00+24:00", "2024-08-20T12:00:00+01:60"),
        *("2024-08-20T12:00:00.Z", "2024-08-20T12:00:00.0000000001Z", "0000-01-01T00:00:00Z", "٢024-08-20T12:00:00Z"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "", "now", "2024-08-20T12:00:00Z "),
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read("Optionals", {"timestamp": text})
    expected = f"expected an RFC 3339 time like 2024-08-20T12:00:00Z, found {json.dumps(text, ensure_ascii=False)}"
    assert str(caught.value) == f"timestamp: {expected}"


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("0s", 0, 0),
        ("1.500s", 1, 500_000_000),
        ("-1.000000001s", -1, -1),
        ("-0.000250s", 0, -250_000),
        ("3600s", 3600, 0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: int, nanos: int) -> None:
    message: Any = read("Optionals", {"duration": text})
    assert (message.duration.seconds, message.duration.nanos) == (seconds, nanos)
    back = written("Optionals", duration={"seconds": seconds, "nanos": nanos})
    assert back["duration"] == text


@pytest.mark.parametrize("text", ["1", "1m", "s", ".5s", "1.s", "+1s", "1e3s", "315576000001s", "1.0000000001s", ""])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read("Optionals", {"duration": text})
    assert str(caught.value) == f'duration: expected a duration in seconds like 1.5s, found "{text}"'


@pytest.mark.parametrize("message", ["timestamp", "duration"])
def test_a_moment_out_of_range_is_not_written(message: str) -> None:
    with pytest.raises(EncodeError, match=f"tests.shapes.v1.Optionals: malformed: a {message} of"):
        written("Optionals", **{message: {"seconds": 2**60}})


def test_a_wrapper_is_its_value_and_null_leaves_it_out() -> None:
    value = {"string_wrapper": "", "int64_wrapper": "7", "bool_wrapper": False, "double_wrapper": None}
    message: Any = read("Optionals", value)
    assert {field.name: inner.value for field, inner in message.ListFields()} == {
        "string_wrapper": "",
        "int64_wrapper": 7,
        "bool_wrapper": False,
    }
    assert written("Optionals", int64_wrapper={"value": 7}) == {"int64_wrapper": 7}


@pytest.mark.parametrize(
    ("value", "number"), [("red", 1), ("COLOR_RED", 1), ("Teal!", 3), ("sky_blue", 2), (2, 2), (2.0, 2), (77, 77)]
)
def test_an_enum_is_read_by_spelling_name_and_number(value: object, number: int) -> None:
    message: Any = read("Scalars", {"color": value})
    assert message.color == number


def test_an_ordinal_enum_is_its_number_less_one_and_absent_is_not_zero() -> None:
    for ordinal, number in ((0, 1), (2, 3), ("1", 2), (-3, -2), (2**31 - 2, 2**31 - 1)):
        message: Any = read("Linked", {"action": ordinal})
        assert message.action == number
    assert read("Linked", {}) == read("Linked", {"action": None})
    assert written("Linked", action=1)["action"] == 0
    assert "action" not in written("Linked", action=0)


@pytest.mark.parametrize("value", ["raise", 2**31 - 1, -(2**31) - 2, 0.5, True, []])
def test_an_ordinal_enum_takes_nothing_but_integers(value: object) -> None:
    with pytest.raises(DecodeError) as caught:
        read("Linked", {"action": value})
    assert str(caught.value).startswith("action: expected one of the integers 0, 1, 2, found ")
