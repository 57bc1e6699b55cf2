"""Configuration: frozen dataclasses that are read once from the environment and validated when they are built.

A setting is a dataclass field made by ``setting``; a field that is itself such a dataclass is read recursively::

    @dataclass(frozen=True)
    class CacheConfig:
        size: int = setting("CACHE_SIZE", 1024, "Entries that are kept.")

    load(CacheConfig, os.environ, service="inference")

A name that begins with ``ALTIPLANO_`` is taken as it is. Any other name is looked up as ``ALTIPLANO_<SERVICE>_<NAME>``
and then, for all services at once, as ``ALTIPLANO_<NAME>``. A secret may also be given as a file by the name with
``_FILE`` added. Types: str, int, float, bool, Path, Literal, tuples of str separated by commas, and any of these or
None, where an empty value means None. Nothing here reads the environment by itself.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Protocol, TypeVar

PREFIX: Final = "ALTIPLANO_"
REDACTED: Final = "***"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Config = TypeVar("Config", bound=_Dataclass)


class ConfigError(Exception):
    """The environment does not make a valid configuration; ``problems`` has one line for each variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as ``altiplano config`` prints it; the value of a secret is never in it."""

    variable: str
    value: str
    default: str
    help: str


def setting(name: str, default: Any = MISSING, help: str = "", *, secret: bool = False) -> Any:
    """Return a dataclass field that ``load`` reads from the environment; without a default it is required."""
    metadata = {"variable": name, "help": help, "secret": secret}
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def load(cls: type[Config], environ: Mapping[str, str], *, service: str = "") -> Config:
    """Return the configuration that the environment describes for a service (``inference``; empty for none).

    Raises:
        ConfigError: a variable is missing or has a bad value, or the dataclass refused the values with ValueError;
            every problem that can be told at once is in it.
    """
    problems: list[str] = []
    made = _build(cls, environ, service, problems)
    if problems or made is None:
        raise ConfigError(problems)
    return typing.cast(Config, made)


def rows(config: _Dataclass, *, service: str = "") -> Iterator[Row]:
    """Yield every setting of a configuration, in order, nested ones in place, secrets redacted."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if "variable" in field.metadata:
            secret = bool(field.metadata["secret"])
            default = "" if field.default is MISSING else _show(field.default, secret)
            variable = names(field.metadata["variable"], service)[0]
            yield Row(variable, _show(value, secret), default, field.metadata["help"])
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from rows(value, service=service)


def names(name: str, service: str) -> list[str]:
    """Return the variables that may hold a setting, the first one found wins."""
    if name.startswith(PREFIX):
        return [name]
    general = f"{PREFIX}{name}"
    return [f"{PREFIX}{service.upper()}_{name}", general] if service else [general]


def _build(cls: type[Any], environ: Mapping[str, str], service: str, problems: list[str]) -> Any:
    """Return an instance of the dataclass, or None after noting what is wrong."""
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    before = len(problems)
    for field in dataclasses.fields(cls):
        if "variable" in field.metadata:
            _read(field, hints[field.name], environ, service, (values, problems))
        elif dataclasses.is_dataclass(hints[field.name]):
            values[field.name] = _build(typing.cast(type[Any], hints[field.name]), environ, service, problems)
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        problems.append(str(error))
        return None


def _read(
    field: dataclasses.Field[Any],
    hint: Any,
    environ: Mapping[str, str],
    service: str,
    into: tuple[dict[str, Any], list[str]],
) -> None:
    """Read one setting into the values, or note what is wrong with it."""
    values, problems = into
    candidates = names(field.metadata["variable"], service)
    try:
        variable, text = _lookup(candidates, environ, bool(field.metadata["secret"]))
    except OSError as error:
        problems.append(f"{candidates[0]}_FILE: the file can't be read ({error.strerror})")
        return
    if text is None:
        if field.default is MISSING:
            problems.append(f"{candidates[0]} is required: {field.metadata['help']}")
        return
    try:
        values[field.name] = _parse(text, hint)
    except ValueError as error:
        shown = "its value" if field.metadata["secret"] else repr(text)
        problems.append(f"{variable}: {shown} is not {error}")


def _lookup(candidates: list[str], environ: Mapping[str, str], secret: bool) -> tuple[str, str | None]:
    for variable in candidates:
        if variable in environ:
            return variable, environ[variable]
        if secret and f"{variable}_FILE" in environ:
            return variable, Path(environ[f"{variable}_FILE"]).read_text(encoding="utf-8").strip()
    return candidates[0], None


def _parse(text: str, hint: Any) -> Any:
    """Return the value that the text stands for.

    Raises:
        ValueError: its text says what was expected, as in "an integer".
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if text == "":
            return None
        return _parse(text, next(option for option in arguments if option is not types.NoneType))
    if origin is Literal:
        if text not in arguments:
            raise ValueError("one of " + ", ".join(arguments))
        return text
    if origin is tuple:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    if hint is bool:
        return _parse_bool(text)
    return _parse_plain(text, _PLAIN[hint])


def _parse_bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("true or false")


def _parse_plain(text: str, rule: tuple[Callable[[str], Any], str]) -> Any:
    parse, expected = rule
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(expected) from error


_PLAIN: Final[dict[Any, tuple[Callable[[str], Any], str]]] = {
    str: (str, "text"),
    int: (int, "an integer"),
    float: (float, "a number"),
    Path: (Path, "a path"),
}


def _show(value: Any, secret: bool) -> str:
    if value is None:
        return ""
    if secret:
        return REDACTED if value else ""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
