"""JSON text to a tree of Python values, exactly: no member twice, no digit lost.

orjson does the work, but keeps the last of two members with one name and reads an integer beyond 64 bits as a float.
Two checks that cost little tell whether either can have happened; the standard library's parser, which is slower and
lets both be seen, then reads the text again.
"""

from __future__ import annotations

import json
import re
import sys
from math import isfinite
from typing import Any

import orjson

from gateway.codec.errors import DecodeError

_NINES = bytes.maketrans(b"012345678", b"999999999")
_LONG_NUMBER = b"9" * 19
_LONG_INTEGER = re.compile(rb"(?<![0-9.])[0-9]{19}")
_ESCAPED_COLON = b"\\u003"
_BACKSLASH = ord("\\")
# Python reads no longer ones, because their conversion takes quadratic time
_DIGITS = sys.int_info.default_max_str_digits


class _Twice(Exception):
    """A member occurs twice."""


class _Pairs(list[tuple[str, Any]]):
    """The members of an object with all repetitions."""


def parse(text: bytes) -> Any:
    """Return the tree of a JSON text: None, bool, int, float, str, list and dict.

    Raises:
        DecodeError: it is no JSON (RFC 8259) in UTF-8, is nested too deeply, or names a member twice in one object.
    """
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "infinity" not in error.msg:
            raise DecodeError("a JSON document", str(error)) from None
        return _parse_exactly(text)
    return _parse_exactly(text) if _is_doubtful(text, tree) else tree


def _is_doubtful(text: bytes, tree: object) -> bool:
    """Return whether the tree may lack something of the text.

    A member that was dropped took its colon with it, and colons in strings are the same on both sides unless they are
    escaped. An integer beyond 64 bits has at least 19 digits.
    """
    try:
        written = orjson.dumps(tree)
    except orjson.JSONEncodeError:
        raise _too_deep() from None
    # most programs write JSON without white space, and what can be written as it was lacks nothing
    if written == text:
        return False
    if text.count(b":") != written.count(b":") or (_BACKSLASH in text and _ESCAPED_COLON in text):
        return True
    return _LONG_NUMBER in text.translate(_NINES) and _LONG_INTEGER.search(text) is not None


def _parse_exactly(text: bytes) -> Any:
    """Return the tree of a JSON text as the standard library reads it, held to what JSON and UTF-8 allow."""
    try:
        try:
            tree = json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_int=_integer)
        except _Twice:
            repetition = _repetition(json.loads(text, object_pairs_hook=_Pairs))
        else:
            json.dumps(tree, allow_nan=False, ensure_ascii=False).encode()
            return tree
    except RecursionError:
        raise _too_deep() from None
    except ValueError as broken:
        raise DecodeError("a JSON document", str(broken)) from None
    assert repetition is not None
    raise repetition


def _too_deep() -> DecodeError:
    return DecodeError("at most 254 levels of nesting", "more")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Twice
    return members


def _repetition(tree: object) -> DecodeError | None:
    """Return the error for the first member that occurs twice in one object of a tree of _Pairs and lists."""
    if isinstance(tree, _Pairs):
        seen: set[str] = set()
        for name, value in tree:
            if name in seen:
                return DecodeError("one member of this name", "two").in_member(name)
            seen.add(name)
            if error := _repetition(value):
                return error.in_member(name)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            if error := _repetition(value):
                return error.in_item(index)
    return None


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise ValueError(f"an integer of more than {_DIGITS} digits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text} is beyond the range of a double")
    return number
