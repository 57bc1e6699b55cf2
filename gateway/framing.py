"""Lays JSON values out as server-sent events, JSON lines or a JSON array. Knows bytes only, no connection.

Every framer makes the bytes before the first value, for each value, for an error in mid-stream and after the last one.
A framer belongs to one response. Events follow https://html.spec.whatwg.org/multipage/server-sent-events.html; JSON
without line breaks never needs more than one ``data:`` line.
"""

from __future__ import annotations

from typing import Protocol

from gateway.accept import Layout


class Framer(Protocol):
    """How the values of one streamed response follow each other.

    ``heartbeat`` is what may be sent in a silence, b"" where the layout has nothing for that.
    """

    heartbeat: bytes

    def value(self, data: bytes, event_id: int | None) -> bytes:
        """Return the bytes of one more value."""

    def failure(self, data: bytes) -> bytes:
        """Return the bytes that tell of an error and end the response."""

    def end(self) -> bytes:
        """Return the bytes that end a response that went well."""


class EventFramer:
    """``data: <json>`` events; ``terminator`` is the data of one last event, "" for none."""

    heartbeat = b":\n\n"

    def __init__(self, terminator: str = "") -> None:
        self._end = b"data: %s\n\n" % terminator.encode() if terminator else b""

    def value(self, data: bytes, event_id: int | None) -> bytes:
        """Return one event, with an ``id:`` line where it has an id; 0 is that of a message without one."""
        if not event_id:
            return b"data: %s\n\n" % data
        return b"id: %d\ndata: %s\n\n" % (event_id, data)

    def failure(self, data: bytes) -> bytes:
        """Return the last event: the error in place of a value, without the terminator of a stream that went well."""
        return b"data: %s\n\n" % data

    def end(self) -> bytes:
        """Return the terminator's event, or nothing."""
        return self._end


class LineFramer:
    """One JSON value a line; the error is the last line."""

    heartbeat = b""

    def value(self, data: bytes, event_id: int | None) -> bytes:
        """Return one line; lines have no room for ids."""
        return data + b"\n"

    def failure(self, data: bytes) -> bytes:
        """Return the error as the last line."""
        return data + b"\n"

    def end(self) -> bytes:
        """Return nothing: lines need no end."""
        return b""


class ArrayFramer:
    """A JSON array; the error is its last element, so that what was sent can be read whatever happens."""

    # white space may stand between any two elements of an array
    heartbeat = b"\n"

    def __init__(self) -> None:
        self._begun = False

    def value(self, data: bytes, event_id: int | None) -> bytes:
        """Return one more element; an array has no room for ids."""
        return self._separator() + data

    def failure(self, data: bytes) -> bytes:
        """Return the error as the last element, and the end of the array."""
        return self._separator() + data + b"]"

    def end(self) -> bytes:
        """Return the end of the array, and its beginning too if it is empty."""
        return b"]" if self._begun else b"[]"

    def _separator(self) -> bytes:
        if self._begun:
            return b",\n"
        self._begun = True
        return b"["


def framer_for(layout: Layout, terminator: str) -> Framer:
    """Return a fresh framer for a streamed layout."""
    if layout is Layout.LINES:
        return LineFramer()
    return ArrayFramer() if layout is Layout.ARRAY else EventFramer(terminator)
