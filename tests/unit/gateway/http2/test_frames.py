"""Frames and header blocks."""

from __future__ import annotations

import pytest
from hpack import Encoder

from gateway.http2 import frames


def test_a_header_of_any_length_is_read_back() -> None:
    pairs = {"a": "", "b": "x" * 126, "c": "x" * 127, "d": "x" * 5000}
    block = b"".join([frames.literal(name, value.encode()) for name, value in pairs.items()])
    assert frames.fields(block) == pairs


def test_a_block_with_huffman_codes_and_the_static_table_is_read() -> None:
    block = Encoder().encode([(":status", "200"), ("content-type", "application/grpc")], huffman=True)
    assert frames.fields(block) == {":status": "200", "content-type": "application/grpc"}


def test_a_broken_block_is_refused() -> None:
    with pytest.raises(ValueError, match="header block"):
        frames.fields(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")


def test_a_block_that_is_larger_than_a_frame_goes_out_in_pieces() -> None:
    block = bytes(2 * frames.FRAME_BYTES + 1)
    expected = [
        frames.frame(frames.HEADERS, 0, 3, block[: frames.FRAME_BYTES]),
        frames.frame(frames.CONTINUATION, 0, 3, block[: frames.FRAME_BYTES]),
        frames.frame(frames.CONTINUATION, frames.END_HEADERS, 3, b"\0"),
    ]
    assert frames.header_frames(3, block) == b"".join(expected)


def test_settings_are_read_back() -> None:
    written = frames.settings({1: 0, 4: 2**31 - 1})
    assert frames.settings_of(written[9:]) == {1: 0, 4: 2**31 - 1}


def test_padding_and_priority_are_taken_off() -> None:
    assert frames.payload_of(frames.PADDED | frames.PRIORITY, b"\x02" + bytes(5) + b"body" + bytes(2)) == b"body"
    with pytest.raises(ValueError, match="padding"):
        frames.payload_of(frames.PADDED, b"\x09body")
