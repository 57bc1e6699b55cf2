"""Log lines and what is kept out of them."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest

from mesh import metadata
from mesh.identity import Identity, acting_as
from mesh.telemetry.logs import JsonFormatter, TextFormatter
from mesh.telemetry.redaction import is_secret, redact
from mesh.telemetry.trace import Trace, current

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def line(message: str, *arguments: object, **options: Any) -> dict[str, Any]:
    """Log one message and return the line's object."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("inference"))
    logger = logging.Logger("mesh.test")
    logger.addHandler(handler)
    logger.info(message, *arguments, **options)
    made: dict[str, Any] = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert made.pop("time").endswith("+00:00")
    return made


def test_a_line_is_one_object() -> None:
    assert line("loaded %s\nin %d s", "m", 3) == {
        "level": "info",
        "logger": "mesh.test",
        "message": "loaded m\nin 3 s",
        "service": "inference",
    }


def test_what_a_library_adds_to_every_record_is_no_extra() -> None:
    class Stamped(logging.LogRecord):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.stamp = 7

    plain = logging.getLogRecordFactory()
    try:
        logging.setLogRecordFactory(Stamped)
        made = line("x", extra={"model": "m"})
    finally:
        logging.setLogRecordFactory(plain)
    wanted = {"level": "info", "logger": "mesh.test", "message": "x", "service": "inference", "model": "m"}
    assert made == wanted


def test_inside_a_call_the_line_tells_which() -> None:
    token = current.set(Trace("a" * 32, "b" * 16, sampled=True))
    try:
        with acting_as(Identity("user:ann", "acme", frozenset())), metadata.passing_on({metadata.REQUEST_ID: "r1"}):
            made = line("x")
    finally:
        current.reset(token)
    known = {"trace_id": "a" * 32, "span_id": "b" * 16, "request_id": "r1", "tenant": "acme", "subject": "user:ann"}
    assert {name: made[name] for name in known} == known


def test_extras_are_members_and_secrets_among_them_are_not_shown() -> None:
    extra = {
        "model": "m",
        "tokens": 7,
        "api_key": "abc",
        "headers": {"authorization": "Bearer abc", "x-llamastack-providerdata": "{}", "accept": "*/*"},
        "urls": ["postgresql://u:hidden@db/x"],
    }
    made = line("x", extra=extra)
    assert {name: made[name] for name in ("model", "api_key", "headers", "urls")} == {
        "model": "m",
        "api_key": "***",
        "headers": {"authorization": "***", "x-llamastack-providerdata": "***", "accept": "*/*"},
        "urls": ["postgresql://***@db/x"],
    }


def test_a_traceback_is_in_the_line_without_its_secrets() -> None:
    try:
        raise ValueError("password=hunter22")
    except ValueError:
        made = line("failed", exc_info=sys.exc_info())
    assert "ValueError" in made["exception"]
    assert "hunter22" not in made["exception"]


def test_the_text_format_has_the_same_redaction() -> None:
    record = logging.makeLogRecord({"name": "a", "levelname": "INFO", "msg": "token=%s", "args": ("abcdef",)})
    assert TextFormatter().format(record).endswith("INFO    a  token=***")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"got {JWT} here", "got *** here"),
        ("key alp_abcdefgh12345678 used", "key *** used"),
        ("sk-proj-abcdefgh12345678", "***"),
        ("Authorization: Bearer abcdefgh.1234", "Authorization: ***"),
        ("bearer abcdefghijkl", "bearer ***"),
        ("postgresql://user:pa$$@host:5432/db", "postgresql://***@host:5432/db"),
        ('{"api_key": "abc def", "model": "m"}', '{"api_key": "***", "model": "m"}'),
        ("X_SECRET=abc&y=1", "X_SECRET=***&y=1"),
        ("tokens: many, and a password is needed", "tokens: many, and a password is needed"),
        ("prompt_tokens: 7, max_tokens=3", "prompt_tokens: 7, max_tokens=3"),
        ("https://example.com/a?b=c", "https://example.com/a?b=c"),
    ],
)
def test_what_looks_like_a_secret_is_replaced(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("name", "secret"),
    [("Authorization", True), ("OPENAI_API_KEY", True), ("x-api-key", True), ("db.password", True), ("model", False)],
)
def test_names_tell_secrets(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
