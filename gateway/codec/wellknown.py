"""The JSON text of google.protobuf.Timestamp (RFC 3339) and google.protobuf.Duration.

Both directions between text and (seconds, nanos). Knows nothing about wire bytes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from gateway.codec.errors import EncodeError, unfit

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"

LONGEST = 315_576_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = -62_135_596_800
_LAST = 253_402_300_799
_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_SECONDS = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")


def timestamp_text(seconds: int, nanos: int) -> str:
    """Return a time in UTC with 0, 3, 6 or 9 digits of fraction.

    Raises:
        EncodeError: it is outside the years 1 to 9999, or nanos is not from 0 to 999,999,999.
    """
    if not (_FIRST <= seconds <= _LAST and 0 <= nanos < 1_000_000_000):
        raise EncodeError(f"a timestamp of {seconds} s and {nanos} ns is outside the years 1 to 9999")
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f"{_fraction(nanos)}Z"


def timestamp(value: object) -> tuple[int, int]:
    """Return seconds since 1970 and nanoseconds of an RFC 3339 string."""
    expected = "an RFC 3339 time like 2024-08-20T12:00:00Z"
    match = _DATE_TIME.fullmatch(value) if type(value) is str else None
    if match is None:
        raise unfit(expected, value)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        if offset >= timedelta(days=1) or int(minutes or 0) > 59:
            raise unfit(expected, value)
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        raise unfit(expected, value) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if not _FIRST <= seconds <= _LAST:
        raise unfit(expected, value)
    return seconds, int((fraction or "").ljust(9, "0"))


def duration_text(seconds: int, nanos: int) -> str:
    """Return a span like 1.5s with 0, 3, 6 or 9 digits of fraction.

    Raises:
        EncodeError: it is longer than 10,000 years, or seconds and nanos have unlike signs.
    """
    if abs(seconds) > LONGEST or abs(nanos) >= 1_000_000_000 or seconds * nanos < 0:
        raise EncodeError(f"a duration of {seconds} s and {nanos} ns is outside its range")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def duration(value: object) -> tuple[int, int]:
    """Return seconds and nanoseconds of a span like 1.5s."""
    expected = "a duration in seconds like 1.5s"
    match = _SECONDS.fullmatch(value) if type(value) is str else None
    if match is None:
        raise unfit(expected, value)
    sign = -1 if match[1] else 1
    seconds, nanos = int(match[2]), int((match[3] or "").ljust(9, "0"))
    if seconds > LONGEST or (seconds == LONGEST and nanos):
        raise unfit(expected, value)
    return sign * seconds, sign * nanos


def _fraction(nanos: int) -> str:
    """Return the fraction of a second with its point, or "" for none."""
    if not nanos:
        return ""
    text = f".{nanos:09}"
    while text.endswith("000"):
        text = text[:-3]
    return text
