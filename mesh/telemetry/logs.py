"""Logs: one JSON object per line on standard error, with the trace, without secrets.

Members: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, ``service``; ``trace_id``, ``span_id``,
``request_id``, ``tenant`` and ``subject`` inside a call; ``exception`` with the traceback; and what the caller gave as
``extra``. The text format is for a developer's terminal and has the same redaction.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, TextIO

from mesh import metadata
from mesh.config import REDACTED
from mesh.identity import current_or_none
from mesh.telemetry.redaction import is_secret, redact
from mesh.telemetry.trace import current as current_trace

# what formatters add to a record
_FORMATTED: Final = frozenset({"message", "asctime", "taskName"})


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, secrets redacted."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            "service": self._service,
            **_call(),
        }
        standard = _standard(logging.getLogRecordFactory())
        for name, value in vars(record).items():
            if name not in standard:
                entry[name] = REDACTED if is_secret(name) else _plain(value)
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False, default=lambda value: redact(str(value)))


class TextFormatter(logging.Formatter):
    """Writes a record for a human: time, level, logger, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines, secrets redacted."""
        return redact(super().format(record))


def configure_logs(service: str, level: str, form: Literal["json", "text"], stream: TextIO | None = None) -> None:
    """Make every logger of the process write in this form, and nothing else; ``level`` as in ``info``."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service) if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


@cache
def _standard(_factory: object) -> frozenset[str]:
    """Return the attributes of every record that this factory makes, which libraries replace; others are extras."""
    return _FORMATTED.union(vars(logging.makeLogRecord({})))


def _call() -> dict[str, str]:
    """Return what the current call is known by."""
    known: dict[str, str] = {}
    if (trace := current_trace.get()) is not None:
        known |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
    if (request_id := metadata.request_id()) is not None:
        known["request_id"] = redact(request_id)
    if (identity := current_or_none()) is not None:
        known |= {"tenant": identity.tenant, "subject": identity.subject}
    return known


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {str(key): REDACTED if is_secret(str(key)) else _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
