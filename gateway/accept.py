"""Chooses how a response is laid out, by the Accept header and what the contract says of the RPC."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

JSON = "application/json"
LINES = frozenset({"application/jsonl", "application/x-ndjson", "application/x-jsonlines", "application/ndjson"})
EVENTS = "text/event-stream"

_ANY = "*/*"


class Layout(Enum):
    """How the messages of a response follow each other; the value is the Content-Type."""

    DOCUMENT = b"application/json"
    EVENTS = b"text/event-stream; charset=utf-8"
    LINES = b"application/jsonl"
    ARRAY = b"application/json; charset=utf-8"


@lru_cache(maxsize=1024)
def media_types(accept: bytes) -> Mapping[str, float]:
    """Return how much each media type of an Accept header is wanted, above 0 up to 1; those not wanted are left out.

    Types are in lower case and without parameters; a weight that can't be read is none, as if it was not there.
    """
    wanted: dict[str, float] = {}
    for entry in accept.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        weight = _weight(parameters)
        if name and weight > 0:
            wanted[name] = max(weight, wanted.get(name, 0.0))
    return wanted


def lists_layout(accept: bytes) -> Layout:
    """Return the layout of a response that the contract wants as JSON lines: an array only for those who ask for it."""
    return Layout.ARRAY if media_types(accept).keys() == {JSON} else Layout.LINES


def stream_layout(accept: bytes, *, asked_in_body: bool, lines: bool) -> Layout:
    """Return the layout of a stream: what Accept wants most, of what is wanted alike events before lines before arrays.

    Who would take anything gets no array: it can't be read before it is complete.

    Args:
        accept: the Accept header, b"" for none.
        asked_in_body: the body's ``stream`` chose the stream; clients that do so and accept only application/json
            (OpenAI's, for example) mean server-sent events all the same.
        lines: the contract wants JSON lines where nothing else is asked for.
    """
    wanted = media_types(accept)
    usual = Layout.LINES if lines else Layout.EVENTS
    choices = (
        (wanted.get(EVENTS, 0.0), Layout.EVENTS),
        (max(wanted.get(kind, 0.0) for kind in LINES), Layout.LINES),
        (wanted.get(_ANY, 0.0), usual),
        (0.0 if asked_in_body or _ANY in wanted else wanted.get(JSON, 0.0), Layout.ARRAY),
    )
    # the first one of the largest
    weight, layout = max(choices, key=lambda choice: choice[0])
    return layout if weight > 0 else usual


def _weight(parameters: list[str]) -> float:
    """Return the weight among an entry's parameters (RFC 9110, 12.4.2)."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, float(value))
            except ValueError:
                return 1.0
    return 1.0
