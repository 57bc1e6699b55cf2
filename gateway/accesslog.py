"""One line for each request, written in batches beside the event loop, so that no request waits for a log.

Members of a JSON line are those of every log of the mesh (time, level, logger, message, service, request_id, trace_id)
and what HTTP adds. Queries are left out, because keys and personal data turn up in them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple, TextIO

import orjson

from gateway.exchange import Exchange
from mesh.telemetry.redaction import redact
from mesh.telemetry.trace import Trace

_EVERY_S = 0.2
_LONGEST_PATH = 512


class Kind(NamedTuple):
    """What many requests have in common."""

    verb: str
    path: str
    route: str
    status: int
    client: str
    subject: str
    error: str


class Entry(NamedTuple):
    """A finished request; ``time`` is that of its end in Unix seconds, ``size`` the bytes of the response's body."""

    time: float
    request_id: bytes
    trace_id: str
    duration_ms: float
    size: int
    kind: Kind


class AccessLog:
    """Writes entries to a stream, at the latest ``_EVERY_S`` seconds after they were noted.

    Args:
        stream: where lines go.
        form: as JSON, or as text for a developer's terminal.
    """

    def __init__(self, stream: TextIO, form: Literal["json", "text"]) -> None:
        self._stream = stream
        self._format = _as_json if form == "json" else _as_text
        self._entries: list[Entry] = []
        self._writing: asyncio.Task[None] | None = None

    def note(self, exchange: Exchange, trace: Trace | None) -> None:
        """Note a finished exchange; it is written soon."""
        self._entries.append(
            Entry(
                time.time(),
                exchange.request_id,
                "" if trace is None else trace.trace_id,
                (time.perf_counter() - exchange.started) * 1000,
                exchange.sent_bytes,
                Kind(
                    exchange.verb,
                    exchange.path,
                    exchange.route,
                    exchange.status,
                    exchange.client[0] if exchange.client else "",
                    exchange.subject,
                    exchange.error.code.name if exchange.error is not None else "",
                ),
            )
        )
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        self._write(self._take())

    async def _write_soon(self) -> None:
        await asyncio.sleep(_EVERY_S)
        entries = self._take()
        self._writing = None
        await asyncio.to_thread(self._write, entries)

    def _take(self) -> list[Entry]:
        entries, self._entries = self._entries, []
        return entries

    def _write(self, entries: list[Entry]) -> None:
        if entries:
            self._stream.write("".join([self._format(entry) for entry in entries]))
            self._stream.flush()


def _as_json(entry: Entry) -> str:
    second, part = divmod(entry.time, 1)
    moment = f"{_second_of(second)}.{int(part * 1000):03}+00:00"
    beginning, end = _same_of(entry.kind)
    trace = f'"trace_id":"{entry.trace_id}",' if entry.trace_id else ""
    # neither an id nor a number has anything in it that JSON escapes
    own = f'"request_id":"{entry.request_id.decode()}",{trace}"duration_ms":{entry.duration_ms:.3f}'
    return f'{{"time":"{moment}",{beginning},{own},"bytes":{entry.size}{end}}}\n'


@lru_cache(maxsize=8)
def _second_of(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4096)
def _same_of(kind: Kind) -> tuple[str, str]:
    """Return the members that all lines of a kind have, before and behind the others; the same few come all the time."""
    path = _shown(kind.path)
    first = {"level": "info", "logger": __name__, "message": f"{kind.verb} {path} {kind.status}", "service": "gateway"}
    last = kind._asdict() | {"path": path}
    text = orjson.dumps({name: value for name, value in last.items() if value != ""}).decode()
    return orjson.dumps(first).decode()[1:-1], f",{text[1:-1]}"


def _shown(path: str) -> str:
    """Return a path without what looks like a secret."""
    return redact(path[:_LONGEST_PATH])


def _as_text(entry: Entry) -> str:
    moment = datetime.fromtimestamp(entry.time).strftime("%H:%M:%S")
    kind = entry.kind
    error = f" {kind.error}" if kind.error else ""
    return f"{moment} {kind.verb} {_shown(kind.path)} {kind.status}{error} {entry.duration_ms:.1f} ms\n"
