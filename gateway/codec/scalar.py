"""Scalars between JSON and Python: what is accepted, what is refused, how floats and bytes are spelled.

Knows nothing about fields or wire bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from math import inf, isfinite, nan

from gateway.codec.errors import unfit

NONFINITE = {"NaN": nan, "Infinity": inf, "-Infinity": -inf}

_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_URL_SAFE = str.maketrans("-_", "+/")
_FLOAT = struct.Struct("<f")
_LEAST_NORMAL = 2.0**-126


def integer(bits: int, signed: bool) -> Callable[[object], int]:
    """Return a check for integers of so many bits: a JSON integer, a number like 3.0, or either in a string."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    expected = f"an integer from {low} to {high}"

    def check(value: object) -> int:
        if type(value) is int:
            number = value
        else:
            numeral = _numeral(value) if type(value) is str else value
            if type(numeral) is not int and not (type(numeral) is float and numeral.is_integer()):
                raise unfit(expected, value)
            number = int(numeral)
        if low <= number <= high:
            return number
        raise unfit(expected, value)

    return check


def _numeral(text: str) -> object:
    """Return the number that a string spells as JSON would, at most 32 characters long, or None."""
    if len(text) > 32 or not _NUMBER.fullmatch(text):
        return None
    return int(text) if _DIGITS.fullmatch(text) else float(text)


def boolean(value: object) -> bool:
    """Return a JSON boolean; nothing else is one."""
    if type(value) is bool:
        return value
    raise unfit("true or false", value)


def double(value: object) -> float:
    """Return a JSON number, or one spelled as a string: "NaN", "Infinity", "-Infinity" or a numeral."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise unfit("a number within the range of a double", value) from None
    if type(value) is str:
        if value in NONFINITE:
            return NONFINITE[value]
        if _NUMBER.fullmatch(value) and isfinite(number := float(value)):
            return number
    raise unfit("a number", value)


def single(value: object) -> float:
    """Return a JSON number within the range of a 32-bit float."""
    number = double(value)
    try:
        _FLOAT.pack(number)
    except OverflowError:
        raise unfit("a number within the range of a float", value) from None
    return number


def text(value: object) -> bytes:
    """Return a JSON string as UTF-8."""
    if type(value) is not str:
        raise unfit("a string", value)
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise unfit("a string of Unicode characters without lone surrogates", ascii(value)) from None


def digits(value: object) -> bytes:
    """Return a JSON integer of any size, or one spelled as a string, as its decimal digits."""
    if type(value) is int:
        return str(value).encode()
    if type(value) is float and value.is_integer():
        return str(int(value)).encode()
    if type(value) is str and _DIGITS.fullmatch(value):
        return value.encode()
    raise unfit("an integer", value)


def binary(value: object) -> bytes:
    """Return the bytes of a base64 string, in the standard or the URL-safe alphabet, with or without padding."""
    if type(value) is str:
        try:
            plain = value.translate(_URL_SAFE).rstrip("=")
            return binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
        except ValueError:
            pass
    raise unfit("a base64 string", value)


def base64_text(value: bytes) -> str:
    """Return bytes in standard base64 with padding."""
    return base64.b64encode(value).decode("ascii")


def double_value(number: float) -> object:
    """Return a double as its JSON value: itself, or its name where JSON has no numeral."""
    return number if isfinite(number) else nonfinite_name(number)


def nonfinite_name(number: float) -> str:
    """Return "NaN", "Infinity" or "-Infinity"."""
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def single_value(number: float) -> object:
    """Return a 32-bit float as its JSON value: the double whose numeral is the shortest that reads back the same."""
    if not isfinite(number):
        return nonfinite_name(number)
    packed = _FLOAT.pack(number)
    # six digits are kept by every float but the ones below the normal range
    for precision in range(6 if abs(number) >= _LEAST_NORMAL else 1, 9):
        short = float(f"{number:.{precision}g}")
        if _packs_as(short, packed):
            return short
    return float(f"{number:.9g}")


def _packs_as(number: float, packed: bytes) -> bool:
    try:
        return _FLOAT.pack(number) == packed
    except OverflowError:
        return False
