"""Chooses how a response is laid out, by the Accept header and what the contract says of the RPC."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

JSON = "application/json"
LINES = frozenset({"application/jsonl", "application/x-ndjson", "application/x-jsonlines", "application/ndjson"})
EVENTS = "text/event-stream"


class Layout(Enum):
    """How the messages of a response follow each other; the value is the Content-Type."""

    DOCUMENT = b"application/json"
    EVENTS = b"text/event-stream; charset=utf-8"
    LINES = b"application/jsonl"
    ARRAY = b"application/json; charset=utf-8"


@lru_cache(maxsize=1024)
def media_types(accept: bytes) -> frozenset[str]:
    """Return the media types of an Accept header that are wanted at all, lower case, without parameters."""
    wanted = set()
    for entry in accept.decode("latin-1").lower().split(","):
        name, _, parameters = entry.partition(";")
        if name.strip() and parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            wanted.add(name.strip())
    return frozenset(wanted)


def lists_layout(accept: bytes) -> Layout:
    """Return the layout of a response that the contract wants as JSON lines: an array only for those who ask for it."""
    return Layout.ARRAY if media_types(accept) == {JSON} else Layout.LINES


def stream_layout(accept: bytes, *, asked_in_body: bool, lines: bool) -> Layout:
    """Return the layout of a stream.

    Args:
        accept: the Accept header, b"" for none.
        asked_in_body: the body's ``stream`` chose the stream; clients that do so and accept only application/json
            (OpenAI's, for example) mean server-sent events all the same.
        lines: the contract wants JSON lines where nothing else is asked for.
    """
    wanted = media_types(accept)
    if wanted and wanted <= LINES:
        return Layout.LINES
    if EVENTS in wanted:
        return Layout.EVENTS
    if wanted == {JSON} and not asked_in_body:
        return Layout.ARRAY
    return Layout.LINES if lines else Layout.EVENTS
