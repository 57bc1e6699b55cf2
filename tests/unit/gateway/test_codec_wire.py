"""Whatever wire bytes protobuf reads, the codec reads as the same message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.codec import Codec, EncodeError
from gateway.codec.wire import delimited, tag, varint
from tests.contracts import POOL
from tests.unit.gateway.shapes import shape
from tests.unit.gateway.strategies import Sample, samples

CODEC = Codec(POOL)
JUST_AFTER = "1970-01-01T00:00:01.000000001Z"
VARINT, FIXED64, LENGTH, GROUP, END, FIXED32 = range(6)


def length(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    return delimited(tag(number, LENGTH), payload)


def number(field: int, value: int) -> bytes:
    """Return a varint field."""
    return tag(field, VARINT) + varint(value)


def agreed(name: str, wire: bytes) -> Any:
    """Return the JSON of wire bytes, after protobuf has read the same message out of them."""
    message = shape(name)
    encode = CODEC.encoder(message)
    theirs = message_factory.GetMessageClass(message).FromString(wire)
    theirs.DiscardUnknownFields()
    written = json.loads(encode(wire))
    assert written == json.loads(encode(theirs.SerializeToString()))
    return written


@pytest.mark.parametrize(
    ("name", "wire", "member", "value"),
    [
        ("Scalars", number(3, 1) + number(3, 2), "int32_value", 2),
        ("Scalars", number(3, 1) + number(3, 0), "int32_value", 0),
        ("Scalars", number(16, 1) + number(16, 0), "color", None),
        ("Scalars", number(16, 99), "color", 99),
        ("Scalars", number(16, 2**64 - 3), "color", -3),
        ("Scalars", number(3, 2**64 - 1), "int32_value", -1),
        ("Scalars", number(3, 2**32 + 5), "int32_value", 5),
        ("Scalars", number(5, 2**64 - 1), "uint32_value", 2**32 - 1),
        ("Scalars", number(13, 2), "bool_value", True),
        ("Scalars", tag(3, VARINT) + b"\x85\x80\x80\x00", "int32_value", 5),
        ("Scalars", b"\x98\x80\x00\x07", "int32_value", 7),
        ("Scalars", length(3, b"\x05"), "int32_value", 0),
        ("Repeateds", number(3, 1) + length(7, b"a") + number(3, 2) + length(3, b"\x03\x04"), "int32s", [1, 2, 3, 4]),
        ("Repeateds", length(11, b"\x01\x02") + number(11, 3), "loose", [1, 2, 3]),
        ("Repeateds", length(3, b"") + length(3, b""), "int32s", []),
        ("Repeateds", length(9, b"\x01\x00\x63") + number(9, 0), "colors", ["red", "unspecified", 99, "unspecified"]),
        ("Repeateds", length(1, bytes(16)) + tag(1, FIXED64) + bytes(8), "doubles", [0.0, 0.0, 0.0]),
        ("Optionals", length(9, number(3, 1)) + length(9, number(4, 2)), "scalars", (1, 2)),
        ("Optionals", length(202, number(3, 1)) + length(202, number(4, 2)), "whole", (1, 2)),
        ("Optionals", length(202, number(3, 1)) + number(201, 7) + length(202, number(4, 2)), "whole", (0, 2)),
        ("Optionals", length(200, b"a") + number(201, 7), "number", 7),
        ("Optionals", number(201, 7) + length(200, b"a"), "name", "a"),
        ("Optionals", length(10, number(1, 1)) + length(10, number(2, 1)), "timestamp", JUST_AFTER),
        ("Linked", length(6, length(4, b"a")) + length(6, number(2, 7)), "measure", 7),
        ("Linked", length(6, number(2, 7) + length(4, b"a")), "measure", "a"),
        ("Linked", length(3, length(1, b"")) + length(3, length(2, b"")), "figure", {"kind": "square", "side": 0.0}),
        ("Linked", length(1, length(1, b"a")) + length(1, b""), "link", "a"),
        ("Maps", length(2, number(1, 1) + number(2, 2)) + length(2, number(2, 3) + number(1, 1)), "int32s", {"1": 3}),
        ("Maps", length(2, b""), "int32s", {"0": 0}),
        ("Maps", length(2, number(2, 3) + number(2, 4)), "int32s", {"0": 4}),
        ("Maps", length(7, number(1, 1)), "sint64s", {"-1": "unspecified"}),
        ("Maps", length(12, number(1, 1) + length(2, b"a")), "bools", {"true": "a"}),
    ],
)
def test_fields_are_read_in_any_layout_that_protobuf_reads(name: str, wire: bytes, member: str, value: object) -> None:
    found = agreed(name, wire).get(member)
    if isinstance(value, tuple):
        found = (found["int32_value"], found["int64_value"])
    assert found == value


def test_the_parts_of_a_message_in_a_map_are_one_message() -> None:
    entry = number(1, 2) + length(2, number(3, 1)) + length(2, number(4, 2))
    found = agreed("Maps", length(6, entry))["sint32s"]["1"]
    assert (found["int32_value"], found["int64_value"]) == (1, 2)


def test_unknown_fields_of_every_wire_type_are_skipped() -> None:
    group = tag(500, GROUP) + number(1, 1) + tag(501, GROUP) + tag(501, END) + length(2, b"abc") + tag(500, END)
    unknown = number(500, 1) + length(500, b"abc") + group + tag(500, FIXED32) + bytes(4) + tag(500, FIXED64) + bytes(8)
    assert agreed("Scalars", unknown + number(3, 5) + unknown)["int32_value"] == 5


@pytest.mark.parametrize(
    "wire",
    [
        *(b"\x08", b"\x0a", b"\xff", b"\x0a\x05abc", tag(3, VARINT), tag(3, VARINT) + b"\xff" * 11 + b"\x01"),
        *(tag(1, FIXED64) + bytes(7), tag(2, FIXED32) + bytes(3), length(14, b"\xff"), length(14, b"\xed\xa0\x80")),
        *(tag(500, 7) + b"\0", tag(500, GROUP), tag(500, END), tag(500, GROUP) + tag(501, END), b"\x80" * 10 + b"\x01"),
    ],
)
def test_bytes_that_are_no_message_are_refused_as_protobuf_refuses_them(wire: bytes) -> None:
    with pytest.raises(ProtobufDecodeError):
        message_factory.GetMessageClass(shape("Scalars")).FromString(wire)
    with pytest.raises(EncodeError, match=r"^tests\.shapes\.v1\.Scalars: malformed: "):
        CODEC.encoder(shape("Scalars"))(wire)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("Optionals", tag(9, LENGTH) + b"\x05" + number(3, 1)),
        ("Optionals", length(9, tag(14, LENGTH) + b"\x05a")),
        ("Optionals", length(9, tag(14, LENGTH) + b"\x01") + b"a"),
        ("Repeateds", length(3, b"\x80")),
        ("Repeateds", length(3, b"\x80") + b"\x01"),
        ("Repeateds", length(1, bytes(9))),
        ("Repeateds", tag(1, LENGTH) + b"\x10" + bytes(8)),
        ("Maps", length(2, tag(1, VARINT))),
    ],
)
def test_a_value_that_runs_past_its_message_is_refused(name: str, wire: bytes) -> None:
    with pytest.raises(ProtobufDecodeError):
        message_factory.GetMessageClass(shape(name)).FromString(wire)
    with pytest.raises(EncodeError):
        CODEC.encoder(shape(name))(wire)


@pytest.mark.parametrize("name", ["Optionals", "Repeateds", "Maps", "Linked", "Options"])
def test_a_message_followed_by_another_is_read_as_both_merged(name: str) -> None:
    message = shape(name)

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(samples(message), samples(message))
    def check(one: Sample, other: Sample) -> None:
        merged = type(one.value)()
        merged.MergeFromString(one.value.SerializeToString() + other.value.SerializeToString())
        encode = CODEC.encoder(message)
        joined = one.value.SerializeToString() + other.value.SerializeToString()
        try:
            expected = json.loads(encode(merged.SerializeToString()))
        except EncodeError:
            # the seconds of one duration and the nanoseconds of the other may make none
            with pytest.raises(EncodeError):
                encode(joined)
            return
        assert json.loads(encode(joined)) == expected

    check()


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["Scalars", "Optionals", "Repeateds", "Maps", "Tree", "Linked"]), st.binary(max_size=40))
def test_any_bytes_are_either_written_or_refused_with_an_encode_error(name: str, wire: bytes) -> None:
    encode = CODEC.encoder(shape(name))
    try:
        json.loads(encode(wire))
    except EncodeError:
        return


def test_a_message_nested_beyond_what_json_can_hold_is_refused() -> None:
    wire = b""
    for _ in range(2000):
        wire = length(1, wire)
    with pytest.raises(EncodeError, match=r"^tests\.shapes\.v1\.Tree: malformed: "):
        CODEC.encoder(shape("Tree"))(wire)


def test_large_integers_in_free_json_must_be_digits() -> None:
    message = POOL.FindMessageTypeByName("llamastack.common.v1.JsonValue")
    with pytest.raises(EncodeError, match="not written in digits"):
        CODEC.encoder(message)(length(8, b"1,2"))
