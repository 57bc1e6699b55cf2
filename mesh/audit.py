"""The audit log: who changed what, and who was turned away; one JSON object per line, apart from all other logs.

Members: ``time`` (RFC 3339, UTC), ``method`` (``package.Service/Method``), ``code``, ``reason`` (of an error),
``subject`` and ``tenant`` (where the caller is known), ``peer`` (where not), ``resources`` (ids by the names of their
fields) and ``request_id``. Contents of requests and credentials are never in it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import Any, Final

from google.protobuf.message import Message

from mesh.config import ConfigError, setting
from mesh.telemetry.redaction import redact

OFF: Final = "off"
STDERR: Final = "stderr"
_NAMES: Final = ("_id", "_ids", "_uuid", "_uuids")
_MOST_IDS: Final = 32
_LONGEST_ID: Final = 256


@dataclass(frozen=True)
class AuditConfig:
    """Where the audit log goes."""

    log: str | None = setting(
        "AUDIT_LOG",
        None,
        "Where changes and refusals are recorded: a file, stderr or off; empty for stderr where callers have to prove "
        "who they are, else off.",
    )

    def open(self, *, authenticated: bool) -> AuditLog | None:
        """Return the log, None if there is to be none.

        Raises:
            ConfigError: the file can't be written.
        """
        where = self.log or (STDERR if authenticated else OFF)
        if where == OFF:
            return None
        if where == STDERR:
            return AuditLog(logging.StreamHandler())
        try:
            # a file that was moved away is opened anew
            return AuditLog(WatchedFileHandler(where, encoding="utf-8"))
        except OSError as error:
            raise ConfigError([f"AUDIT_LOG: the file can't be written ({error.strerror})"]) from error


class AuditLog:
    """Writes each entry before the call that it is about is answered."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        # a logger of its own: neither levels nor handlers of the process reach it
        self._logger = logging.Logger("altiplano.audit", logging.INFO)
        self._logger.addHandler(handler)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write one entry; members that are None or empty are left out."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        kept = {"time": now, **{name: value for name, value in entry.items() if value}}
        self._logger.info("%s", json.dumps(kept, ensure_ascii=False))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


def resources(*messages: object) -> dict[str, list[str]]:
    """Return the ids that messages name in fields of their own, by the field; at most 32 each, long ones cut.

    What is no message (the bytes of a refused call, the messages of a stream) names none.
    """
    found: dict[str, list[str]] = {}
    for message in messages:
        if isinstance(message, Message):
            for field, value in message.ListFields():
                if field.name.endswith(_NAMES) and field.type == field.TYPE_STRING:
                    ids = [value] if isinstance(value, str) else list(value)
                    found[field.name] = [redact(each[:_LONGEST_ID]) for each in ids[:_MOST_IDS]]
    return found
