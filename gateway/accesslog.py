"""One line for each request, written in batches beside the event loop, so that no request waits for a log.

Members of a JSON line are those of every log of the mesh (time, level, logger, message, service, request_id, trace_id)
and what HTTP adds. Queries are left out, because keys and personal data turn up in them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO

import orjson

from gateway.exchange import Exchange
from mesh.telemetry.redaction import redact
from mesh.telemetry.trace import Trace

_EVERY_S = 0.2
_LONGEST_PATH = 512

Entry = dict[str, Any]


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
            {
                "time": time.time(),
                "request_id": exchange.request_id,
                "trace_id": "" if trace is None else trace.trace_id,
                "verb": exchange.verb,
                "path": exchange.path,
                "route": exchange.route,
                "status": exchange.status,
                "duration_ms": (time.perf_counter() - exchange.started) * 1000,
                "bytes": exchange.sent_bytes,
                "client": exchange.client[0] if exchange.client else "",
                "subject": exchange.subject,
                "error": exchange.error.code.name if exchange.error is not None else "",
            }
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


@lru_cache(maxsize=4096)
def _shown(path: str) -> str:
    """Return a path without what looks like a secret; the same few paths come again and again."""
    return redact(path[:_LONGEST_PATH])


def _as_json(entry: Entry) -> str:
    path = _shown(entry["path"])
    line = entry | {
        "time": datetime.fromtimestamp(entry["time"], UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": __name__,
        "message": f"{entry['verb']} {path} {entry['status']}",
        "service": "gateway",
        "path": path,
        "request_id": entry["request_id"].decode(),
        "duration_ms": round(entry["duration_ms"], 3),
    }
    return orjson.dumps({name: value for name, value in line.items() if value != ""}).decode() + "\n"


def _as_text(entry: Entry) -> str:
    moment = datetime.fromtimestamp(entry["time"]).strftime("%H:%M:%S")
    path = _shown(entry["path"])
    error = f" {entry['error']}" if entry["error"] else ""
    return f"{moment} {entry['verb']} {path} {entry['status']}{error} {entry['duration_ms']:.1f} ms\n"
