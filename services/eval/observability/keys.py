"""What rows are found by: texts without regard to case, times in order, JSON values by equality.

Databases differ in what they take as text (PostgreSQL refuses NUL) and in how they compare it, so rows keep the whole
message as bytes and, beside it, keys that compare alike everywhere.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.value_pb2 import JsonValue
from mesh.errors import InvalidField
from mesh.json_text import Loose, loose_of

_YEAR_ONE: Final = -62_135_596_800
_YEAR_TEN_THOUSAND: Final = 253_402_300_800
_INT64: Final = 1 << 63


def exact(text: str) -> str:
    """Return the text as a key that tells texts apart."""
    return text.replace("\0", "\ufffd")


def folded(text: str) -> str:
    """Return the text as a key in which upper and lower case are alike."""
    return exact(text.casefold())


def moment(time: Timestamp, path: str) -> str:
    """Return a time as 21 digits that sort as times do.

    Raises:
        InvalidField: it is outside of the years 1 to 9999 or not normalized; ``path`` names it.
    """
    if not (_YEAR_ONE <= time.seconds < _YEAR_TEN_THOUSAND and 0 <= time.nanos < 1_000_000_000):
        raise InvalidField(path, "a time in the years 1 to 9999 is needed")
    return f"{time.seconds - _YEAR_ONE:012d}{time.nanos:09d}"


def step(number: int | None) -> str:
    """Return a step as 20 digits that sort as numbers do; empty for none, which comes first."""
    return "" if number is None else f"{number + _INT64:020d}"


def digest(value: JsonValue) -> str:
    """Return a key that equal JSON values share, 64 hexadecimal digits; 1 and 1.0 are equal."""
    text = json.dumps(_plain(loose_of(value)), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def timestamp(seconds: float) -> Timestamp:
    """Return Unix seconds as a message, to the microsecond."""
    made = Timestamp()
    made.FromMicroseconds(int(seconds * 1_000_000))
    return made


def _plain(value: Loose) -> object:
    match value:
        case JsonValue():
            return {"integer": value.big_integer_value}
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value
