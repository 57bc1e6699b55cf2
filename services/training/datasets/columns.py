"""What values a column takes, and the one form in which they are kept.

Knows neither files nor requests; runs where rows are read, in a process of its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from services.training.revisions import ColumnType

MAX_DEPTH: Final = 22
"""Nesting of arrays and objects within a value; a row of deeper ones could not be sent."""

ROLES: Final = ("user", "system", "assistant", "ipython", "tool")
_SCHEMES: Final = ("data:", "http:", "https:", "file:", "s3:", "gs:", "hf:")
_EXACT: Final = 2.0**53
_LARGEST: Final = sys.float_info.max


class Misfit(ValueError):
    """A value is not of its column's type; ``where`` is its place within the value, as in ``[2].content``."""

    def __init__(self, expected: str, where: str = "") -> None:
        """``expected`` says what is needed and what was found."""
        super().__init__(expected)
        self.expected = expected
        self.where = where


def fitted(value: Any, kind: ColumnType) -> Any:
    """Return a value in the form in which it is kept.

    Raises:
        Misfit: it is not one of the column's type.
    """
    return _FITS[kind](value)


def fitted_row(row: Any, columns: Mapping[str, ColumnType]) -> dict[str, Any]:
    """Return the columns of a row, each in the form in which it is kept; further members are dropped.

    Raises:
        Misfit: a column is missing or has a value of another type; ``where`` begins with ``.column``.
    """
    if not isinstance(row, dict):
        raise Misfit(f"an object with a member for each column is needed, found {named(row)}")
    made = {}
    for column, kind in columns.items():
        if column not in row:
            raise Misfit(f"the column is missing; the row has {_some(row)}", f".{column}")
        try:
            made[column] = fitted(row[column], kind)
        except Misfit as misfit:
            raise Misfit(misfit.expected, f".{column}{misfit.where}") from None
    return made


def named(value: Any) -> str:
    """Return what kind of value it is, for a person."""
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return f"a {type(value).__name__}"


def empty(value: Any) -> bool:
    """Return whether a value counts as empty."""
    return value is None or value == "" or value == [] or value == {}


def _some(row: Mapping[str, Any]) -> str:
    names = [repr(str(name)[:64]) for name in list(row)[:8]]
    return ", ".join(names) + (", ..." if len(row) > 8 else "") if names else "no members"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Misfit(f"a string is needed, found {named(value)}")
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Misfit(f"a number is needed, found {named(value)}")
    if abs(value) > _LARGEST or value != value:
        raise Misfit("a finite number of double precision is needed")
    # the same number is written in the same way, wherever it comes from
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    return int(value) if whole else value


def _json(value: Any, depth: int = 0, where: str = "") -> Any:
    if depth > MAX_DEPTH:
        raise Misfit(f"at most {MAX_DEPTH} arrays and objects within each other are possible", where[:64])
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise Misfit("a finite number is needed", where)
            return value
        case list():
            return [_json(item, depth + 1, f"{where}[{index}]") for index, item in enumerate(value)]
        case dict():
            return {str(name): _json(item, depth + 1, f"{where}.{str(name)[:64]}") for name, item in value.items()}
        case _:
            raise Misfit(f"a JSON value is needed, found {named(value)}", where)


def _url(value: Any) -> bool:
    return isinstance(value, str) and value.lower().startswith(_SCHEMES)


def _attachment(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("mime_type"), str):
        return False
    url = value.get("url")
    return _url(url) or (isinstance(url, dict) and _url(url.get("uri")))


def _media(value: Any) -> Any:
    kept = _present(value)
    if not _url(kept) and not _attachment(kept):
        schemes = " ".join(_SCHEMES)
        raise Misfit(f"a URL ({schemes}) or an object with url and mime_type is needed, found {named(value)}")
    return kept


def _dialog(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else named(value)
        raise Misfit(f"a list of messages is needed, found {found}")
    return [_message(_present(message), f"[{index}]") for index, message in enumerate(value)]


def _message(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misfit(f"a message with role and content is needed, found {named(value)}", where)
    role = value.get("role")
    if role not in ROLES:
        raise Misfit(f"one of {', '.join(ROLES)} is needed", f"{where}.role")
    content = value.get("content")
    calls = value.get("tool_calls", [])
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise Misfit("a list of tool calls is needed", f"{where}.tool_calls")
    if content is None and not (role == "assistant" and calls):
        raise Misfit("a content is needed", f"{where}.content")
    parts = content if isinstance(content, list) else [content]
    if content is not None and not all(isinstance(part, str) or _attachment(part) for part in parts):
        raise Misfit("a text, an attachment with url and mime_type or a list of both is needed", f"{where}.content")
    for member in ("call_id", "stop_reason"):
        if not isinstance(value.get(member, ""), str):
            raise Misfit(f"a string is needed, found {named(value[member])}", f"{where}.{member}")
    return dict(_json(value, 1, where))


def _present(value: Any) -> Any:
    """Return an object without the members that are null, as columnar files fill up what is absent."""
    if isinstance(value, dict):
        return {name: _present(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_present(item) for item in value]
    return value


_FITS: Final[Mapping[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.DIALOG: _dialog,
    ColumnType.TEXT: _text,
    ColumnType.MEDIA: _media,
    ColumnType.NUMBER: _number,
    ColumnType.JSON: _json,
}
_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (type(None), "null"),
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
    (bytes, "bytes"),
)
