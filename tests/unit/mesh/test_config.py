"""Configuration from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from mesh.config import ConfigError, Row, load, rows, setting


@dataclass(frozen=True)
class Inner:
    path: Path | None = setting("PATH", None, "A file.")
    key: str = setting("ALTIPLANO_KEY", "", "A secret.", secret=True)


@dataclass(frozen=True)
class Outer:
    name: str = setting("NAME", help="What it is called.")
    size: int = setting("SIZE", 10, "How many.")
    ratio: float | None = setting("RATIO", 0.5, "Which part.")
    on: bool = setting("ON", False, "Whether.")
    level: Literal["low", "high"] = setting("LEVEL", "low", "How much.")
    tags: tuple[str, ...] = setting("TAGS", (), "Some words.")
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("SIZE: can't be negative")


def test_defaults_hold_where_nothing_is_set() -> None:
    assert load(Outer, {"ALTIPLANO_NAME": "x"}) == Outer("x", 10, 0.5, False, "low", (), Inner(None, ""))


def test_every_type_is_read() -> None:
    environ = {
        "ALTIPLANO_NAME": "x",
        "ALTIPLANO_SIZE": "3",
        "ALTIPLANO_RATIO": "0.25",
        "ALTIPLANO_ON": "Yes",
        "ALTIPLANO_LEVEL": "high",
        "ALTIPLANO_TAGS": "a, b,,c",
        "ALTIPLANO_PATH": "/etc/x",
        "ALTIPLANO_KEY": "hidden",
    }
    expected = Outer("x", 3, 0.25, True, "high", ("a", "b", "c"), Inner(Path("/etc/x"), "hidden"))
    assert load(Outer, environ) == expected


def test_an_empty_value_of_an_optional_setting_is_none() -> None:
    assert load(Outer, {"ALTIPLANO_NAME": "x", "ALTIPLANO_RATIO": ""}).ratio is None


def test_a_services_own_variable_wins_over_the_general_one() -> None:
    environ = {"ALTIPLANO_NAME": "all", "ALTIPLANO_AGENTS_NAME": "agents", "ALTIPLANO_AGENTS_KEY": "not looked at"}
    assert load(Outer, environ, service="agents").name == "agents"
    assert load(Outer, environ, service="memory").name == "all"
    assert load(Outer, environ, service="agents").inner.key == ""


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hidden\n")
    environ = {"ALTIPLANO_NAME": "x", "ALTIPLANO_KEY_FILE": str(tmp_path / "key")}
    assert load(Outer, environ).inner.key == "hidden"


def test_all_problems_are_told_at_once_and_no_secret_is() -> None:
    environ = {
        "ALTIPLANO_SIZE": "many",
        "ALTIPLANO_ON": "maybe",
        "ALTIPLANO_LEVEL": "mid",
        "ALTIPLANO_RATIO": "half",
        "ALTIPLANO_KEY_FILE": "/nowhere/key",
    }
    with pytest.raises(ConfigError) as refusal:
        load(Outer, environ)
    assert refusal.value.problems == [
        "ALTIPLANO_NAME is required: What it is called.",
        "ALTIPLANO_SIZE: 'many' is not an integer",
        "ALTIPLANO_RATIO: 'half' is not a number",
        "ALTIPLANO_ON: 'maybe' is not true or false",
        "ALTIPLANO_LEVEL: 'mid' is not one of low, high",
        "ALTIPLANO_KEY_FILE: the file can't be read (No such file or directory)",
    ]


def test_what_the_dataclass_refuses_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="SIZE: can't be negative"):
        load(Outer, {"ALTIPLANO_NAME": "x", "ALTIPLANO_SIZE": "-1"})


def test_every_setting_is_shown_and_no_secret_is() -> None:
    config = load(Outer, {"ALTIPLANO_NAME": "x", "ALTIPLANO_TAGS": "a,b", "ALTIPLANO_KEY": "hidden"})
    assert list(rows(config, service="agents")) == [
        Row("ALTIPLANO_AGENTS_NAME", "x", "", "What it is called."),
        Row("ALTIPLANO_AGENTS_SIZE", "10", "10", "How many."),
        Row("ALTIPLANO_AGENTS_RATIO", "0.5", "0.5", "Which part."),
        Row("ALTIPLANO_AGENTS_ON", "false", "false", "Whether."),
        Row("ALTIPLANO_AGENTS_LEVEL", "low", "low", "How much."),
        Row("ALTIPLANO_AGENTS_TAGS", "a,b", "", "Some words."),
        Row("ALTIPLANO_AGENTS_PATH", "", "", "A file."),
        Row("ALTIPLANO_KEY", "***", "", "A secret."),
    ]
    assert "hidden" not in repr(config)
