"""Free JSON without loss: from text to JsonValue and back, and to Python literals.

Integers of any length stay exact, because digits are copied and never computed with. Knows nothing about tools.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Final, NoReturn, TypeAlias, Union

from google.protobuf.struct_pb2 import NULL_VALUE

from llamastack.common.v1.value_pb2 import JsonArray, JsonObject, JsonValue

Loose: TypeAlias = Union[bool, int, float, str, list["Loose"], dict[str, "Loose"], JsonValue, None]  # noqa: UP007
"""Python's JSON values; a parser hands over a JsonValue in place of an integer that needs more than 64 bits."""

MAX_DEPTH: Final = 24
"""Nesting of arrays and objects; deeper ones would not pass protobuf's limit of 100 nested messages."""

_INT64: Final = range(-(2**63), 2**63)
_SAFE_DIGITS: Final = 18
_INT64_DIGITS: Final = 20
_PYTHON_DIGITS: Final = 4300


def integer(digits: str) -> int | JsonValue:
    """Return the integer of decimal digits with an optional minus sign: an int within 64 bits, else a JsonValue."""
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    if len(digits) <= _INT64_DIGITS and int(digits) in _INT64:
        return int(digits)
    return JsonValue(big_integer_value=digits)


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_int=integer, parse_constant=_reject)


def read(text: str, start: int = 0) -> tuple[Loose, int]:
    """Return the JSON value that begins exactly at ``start``, and the position after it.

    Raises:
        ValueError: no whole JSON value begins there, or it is nested beyond what Python can read.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value, end


def value_of(loose: Loose, depth: int = 0) -> JsonValue:
    """Return the message for a parsed value.

    Raises:
        ValueError: a number is not finite, a string is not valid Unicode, or the nesting exceeds MAX_DEPTH.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    match loose:
        case JsonValue():
            return loose
        case None:
            return JsonValue(null_value=NULL_VALUE)
        case bool():
            return JsonValue(bool_value=loose)
        case int():
            return JsonValue(integer_value=loose) if loose in _INT64 else JsonValue(big_integer_value=str(loose))
        case float():
            if not math.isfinite(loose):
                raise ValueError("not a finite number")
            return JsonValue(number_value=loose)
        case str():
            return JsonValue(string_value=unicode(loose))
        case list():
            return JsonValue(array_value=JsonArray(values=[value_of(item, depth + 1) for item in loose]))
        case dict():
            fields = {unicode(name): value_of(item, depth + 1) for name, item in loose.items()}
            return JsonValue(object_value=JsonObject(fields=fields))


def loose_of(value: JsonValue) -> Loose:
    """Return a message as Python values; integers of any length that Python reads from text stay exact.

    A longer one (4,300 digits and more) stays a JsonValue.
    """
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "integer_value":
            return value.integer_value
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "array_value":
            return [loose_of(item) for item in value.array_value.values]
        case "object_value":
            return {name: loose_of(value.object_value.fields[name]) for name in sorted(value.object_value.fields)}
        case "big_integer_value" if len(value.big_integer_value) < _PYTHON_DIGITS:
            return int(value.big_integer_value)
        case "big_integer_value":
            return value
        case _:
            return None


def unicode(text: str) -> str:
    """Return the text unchanged.

    Raises:
        ValueError: it holds half a surrogate pair, which neither UTF-8 nor protobuf can carry.
    """
    text.encode()
    return text


def write(value: JsonValue, *, python: bool = False) -> str:
    """Return a value as JSON text, or as a Python literal; on one line, members sorted by name, non-ASCII as it is."""
    return "".join(_parts(value, ("None", "True", "False") if python else ("null", "true", "false")))


def write_string(text: str) -> str:
    """Return a text in double quotes, with the escapes that JSON and Python share."""
    return json.dumps(text, ensure_ascii=False)


def _parts(value: JsonValue, words: tuple[str, str, str]) -> Iterator[str]:
    match value.WhichOneof("kind"):
        case "bool_value":
            yield words[1] if value.bool_value else words[2]
        case "integer_value":
            yield str(value.integer_value)
        case "big_integer_value":
            yield value.big_integer_value
        case "number_value":
            yield repr(value.number_value)
        case "string_value":
            yield write_string(value.string_value)
        case "array_value":
            for position, item in enumerate(value.array_value.values):
                yield ", " if position else "["
                yield from _parts(item, words)
            yield "]" if value.array_value.values else "[]"
        case "object_value":
            fields = value.object_value.fields
            for position, name in enumerate(sorted(fields)):
                yield ", " if position else "{"
                yield f"{write_string(name)}: "
                yield from _parts(fields[name], words)
            yield "}" if fields else "{}"
        case _:
            yield words[0]
