"""Messages between the service and the sandbox: a JSON object and pieces of bytes, on a stream.

A message is the length of its header (8 bytes, big-endian), the header as JSON with the lengths of the pieces as
``sizes``, and the pieces.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

Message: TypeAlias = tuple[dict[str, Any], list[bytes]]

PREFIX: Final = 8


def pack(header: Mapping[str, Any], pieces: Sequence[bytes] = ()) -> bytes:
    """Return a message as it travels."""
    head = json.dumps({**header, "sizes": [len(piece) for piece in pieces]}).encode()
    return b"".join((len(head).to_bytes(PREFIX, "big"), head, *pieces))


def send(stream: socket.socket, header: Mapping[str, Any], pieces: Sequence[bytes] = ()) -> None:
    """Send a message on a blocking socket."""
    stream.sendall(pack(header, pieces))


def receive(stream: socket.socket) -> Message | None:
    """Return the next message of a blocking socket, None at its end."""
    prefix = _exactly(stream, PREFIX)
    if prefix is None:
        return None
    head = _exactly(stream, int.from_bytes(prefix, "big"))
    if head is None:
        return None
    header = header_of(head)
    pieces = []
    for size in header["sizes"]:
        piece = _exactly(stream, size)
        if piece is None:
            return None
        pieces.append(piece)
    return header, pieces


def header_of(data: bytes) -> dict[str, Any]:
    """Return the header that bytes hold."""
    header: dict[str, Any] = json.loads(data)
    return header


def _exactly(stream: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = stream.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return bytes(data)
