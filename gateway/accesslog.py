"""One line for each request, written in batches beside the event loop, so that no request waits for a log.

Members of a JSON line are those of every log of the mesh (time, level, logger, message, service, request_id, trace_id)
and what HTTP adds; `cause` is what the transport said of a service that did not answer. Queries are left out, because
keys and personal data turn up in them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TextIO

import grpc.aio
import orjson

from gateway.exchange import Exchange
from mesh.errors import MeshError, status_of
from mesh.telemetry.redaction import redact
from mesh.telemetry.trace import Trace

_EVERY_S = 0.5
_LONGEST_PATH = 512
_LONGEST_CAUSE = 256


# what many requests have in common: verb, path, route, status, client, subject, error, cause
Kind = tuple[str, str, str, int, str, str, str, str]
_KIND = ("verb", "path", "route", "status", "client", "subject", "error", "cause")
# time of the end in Unix seconds, request id, trace id, duration in seconds, bytes of the response's body, kind
Entry = tuple[float, bytes, str, float, int, Kind]


class AccessLog:
    """Writes entries to a stream, at the latest ``_EVERY_S`` seconds after they were noted.

    Args:
        stream: where lines go.
        form: as JSON, or as text for a developer's terminal.
    """

    def __init__(self, stream: TextIO, form: Literal["json", "text"]) -> None:
        self._stream = stream
        self._format = _in_json if form == "json" else _in_text
        self._entries: list[Entry] = []
        self._writing: asyncio.Task[None] | None = None

    def note(self, exchange: Exchange, trace: Trace | None, seconds: float) -> None:
        """Note an exchange that took some seconds; it is written soon."""
        client, error = exchange.client, exchange.error
        kind = (
            exchange.verb,
            exchange.path,
            exchange.route,
            exchange.status,
            client[0] if client else "",
            exchange.subject,
            error.code.name if error is not None else "",
            _cause(error) if error is not None else "",
        )
        trace_id = "" if trace is None else trace.trace_id
        self._entries.append((time.time(), exchange.request_id, trace_id, seconds, exchange.sent_bytes, kind))
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
            self._stream.write("".join(self._format(entries)))
            self._stream.flush()


def _cause(error: MeshError) -> str:
    """Return what the transport said of a failed call; nothing where the service itself said what is wrong."""
    failed = error.__cause__
    if not isinstance(failed, grpc.aio.AioRpcError) or status_of(failed) is not None:
        return ""
    return redact((failed.details() or "")[:_LONGEST_CAUSE])


def _in_json(entries: list[Entry]) -> Iterator[str]:
    known, text = -1, ""
    for ended, request_id, trace_id, seconds, size, kind in entries:
        second = int(ended)
        if second != known:
            known, text = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        trace = f'"trace_id":"{trace_id}",' if trace_id else ""
        # neither an id nor a number has anything in it that JSON escapes
        moving = (text, (ended - second) * 1000, request_id.decode(), trace, seconds * 1000, size)
        yield _template_of(kind) % moving


@lru_cache(maxsize=4096)
def _template_of(kind: Kind) -> str:
    """Return what all lines of a kind have, with places for the others' members; there are few kinds."""
    members = dict(zip(_KIND, kind, strict=True))
    path = members["path"] = _shown(str(members["path"]))
    message = f"{members['verb']} {path} {members['status']}"
    first = {"level": "info", "logger": __name__, "message": message, "service": "gateway"}
    same = orjson.dumps({name: value for name, value in members.items() if value != ""}).decode()[1:-1]
    beginning, end = orjson.dumps(first).decode()[1:-1].replace("%", "%%"), same.replace("%", "%%")
    return f'{{"time":"%s.%03d+00:00",{beginning},"request_id":"%s",%s"duration_ms":%.3f,"bytes":%d,{end}}}\n'


def _shown(path: str) -> str:
    """Return a path without what looks like a secret."""
    return redact(path[:_LONGEST_PATH])


def _in_text(entries: list[Entry]) -> Iterator[str]:
    for ended, _, _, seconds, _, (verb, path, _, status, _, _, error, cause) in entries:
        moment = datetime.fromtimestamp(ended).strftime("%H:%M:%S")
        why = f" {error}" + (f" ({cause})" if cause else "") if error else ""
        yield f"{moment} {verb} {_shown(path)} {status}{why} {seconds * 1e3:.1f} ms\n"
