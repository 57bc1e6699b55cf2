"""How a program talks to the service that started it, over its standard input and output."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final

_LENGTH: Final = struct.Struct(">I")


def serve(answer_to: Callable[[Any], Any]) -> None:
    """Answer each request by ``answer_to`` until the service goes; what it raises becomes ``{"failed": type}``."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # what a library prints must not get between the messages, and its warnings must not fill a disk
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _send(sink, {"ready": True})
    while head := source.read(_LENGTH.size):
        request = json.loads(source.read(_LENGTH.unpack(head)[0]))
        try:
            answer = answer_to(request)
        except Exception as error:  # noqa: BLE001 - the process's edge: no failure may pass for an answer
            answer = {"failed": type(error).__name__}
        _send(sink, answer)


def _send(sink: BinaryIO, message: Any) -> None:
    data = json.dumps(message).encode()
    sink.write(_LENGTH.pack(len(data)) + data)
    sink.flush()
