"""HTTP/2 frames and header blocks as far as a gRPC client needs them. Knows nothing of connections.

See RFC 9113 for frames, RFC 7541 for header blocks. Neither end keeps a table of headers: what we send is literal, and
a server is told that our table has no room, so that a block means the same whenever it comes and is decoded once.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

from hpack import Decoder, HPACKError

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_BYTES: Final = 16384
"""Payload of the largest frame that every peer takes."""
FIRST_WINDOW: Final = 65535
"""Bytes of DATA that may be sent before the receiver allows more, where settings say nothing else."""
LARGEST_WINDOW: Final = 2**31 - 1
STREAM_WINDOW: Final = 1024 * 1024
"""Bytes of a response that a service may send ahead of its reader."""

# length and kind of a frame, its flags, its stream
_START: Final = Struct(">IBI")
START_BYTES: Final = _START.size
pack_start = _START.pack
unpack_start = _START.unpack_from
# of a gRPC message: whether it is compressed, its length
_MESSAGE_START: Final = Struct(">BI")
unpack_message_start = _MESSAGE_START.unpack_from
# the start of a frame and of the message that begins in it
pack_starts = Struct(">IBIBI").pack

_CACHED_BLOCK = 256
_PREFIX_LIMIT = 127


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame."""
    return pack_start(len(payload) << 8 | kind, flags, stream) + payload


def header_frames(stream: int, block: bytes) -> bytes:
    """Return the frames of a header block, which is cut where it is larger than a frame."""
    if len(block) <= FRAME_BYTES:
        return frame(HEADERS, END_HEADERS, stream, block)
    pieces = [block[start : start + FRAME_BYTES] for start in range(0, len(block), FRAME_BYTES)]
    frames = [frame(HEADERS, 0, stream, pieces[0])]
    frames += [frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:-1]]
    return b"".join([*frames, frame(CONTINUATION, END_HEADERS, stream, pieces[-1])])


def settings(values: dict[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    payload = b"".join([key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items()])
    return frame(SETTINGS, 0, 0, payload)


def settings_of(payload: bytes) -> dict[int, int]:
    """Return the values of a SETTINGS frame."""
    starts = range(0, len(payload) - 5, 6)
    return {int.from_bytes(payload[s : s + 2], "big"): int.from_bytes(payload[s + 2 : s + 6], "big") for s in starts}


def literal(name: str, value: bytes) -> bytes:
    """Return a header, its name shorter than 127 bytes, that leaves no trace in the receiver's table."""
    return literal_start(name, len(value)) + value


@lru_cache(maxsize=4096)
def literal_start(name: str, size: int) -> bytes:
    """Return what is before the value, of so many bytes, of a header as `literal` makes it."""
    return b"\0%c%b%b" % (len(name), name.encode(), bytes([size]) if size < _PREFIX_LIMIT else _length(size))


def fields(block: bytes) -> dict[str, str]:
    """Return the headers of a block, the last one of a repeated name.

    Raises:
        ValueError: it is no header block.
    """
    return _cached_fields(block) if len(block) <= _CACHED_BLOCK else _fields(block)


def _fields(block: bytes) -> dict[str, str]:
    decoder = Decoder()
    decoder.header_table_size = 0
    try:
        decoded = decoder.decode(block, raw=True)
    except HPACKError as error:
        raise ValueError("not a header block") from error
    return {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in decoded}


_cached_fields = lru_cache(maxsize=1024)(_fields)


def payload_of(flags: int, payload: bytes) -> bytes:
    """Return what a DATA or HEADERS frame holds besides padding and priority.

    Raises:
        ValueError: there is more padding than payload.
    """
    start, stop = 0, len(payload)
    if flags & PADDED:
        start, stop = 1, stop - payload[0]
    if flags & PRIORITY:
        start += 5
    if start > stop:
        raise ValueError("more padding than payload")
    return payload[start:stop]


def _length(size: int) -> bytes:
    """Return an integer that seven bits are too few for."""
    rest, encoded = size - _PREFIX_LIMIT, [_PREFIX_LIMIT]
    while rest > 127:
        encoded.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*encoded, rest])
