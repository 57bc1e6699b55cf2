"""Reads how long a caller is willing to wait. Knows the two headers' formats and nothing else."""

from __future__ import annotations

import math
import re

from mesh.errors import InvalidField

GRPC_TIMEOUT = "grpc-timeout"
REQUEST_TIMEOUT = "X-Request-Timeout"

_GRPC = re.compile(rb"(\d{1,8})([HMSmun])")
_GRPC_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_PLAIN = re.compile(rb"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m)?")
_PLAIN_UNITS = {b"": 1.0, b"s": 1.0, b"ms": 1e-3, b"m": 60.0}


def asked_timeout(grpc_timeout: bytes | None, request_timeout: bytes | None) -> float | None:
    """Return the seconds that a call may take by its headers, the smaller one where both are given, None for none.

    ``grpc-timeout`` is as in gRPC over HTTP/2 (``500m`` is half a second); ``X-Request-Timeout`` is a number of seconds
    or a number with ``ms``, ``s`` or ``m`` (minutes).

    Raises:
        InvalidField: a header can't be read, or X-Request-Timeout is zero.
    """
    if grpc_timeout is None and request_timeout is None:
        return None
    seconds = math.inf
    if grpc_timeout is not None:
        found = _GRPC.fullmatch(grpc_timeout)
        if found is None:
            raise InvalidField(GRPC_TIMEOUT, "expected 1 to 8 digits and a unit of H, M, S, m, u, n, as in 5S")
        seconds = int(found[1]) * _GRPC_UNITS[found[2]]
    if request_timeout is not None:
        found = _PLAIN.fullmatch(request_timeout.strip())
        if found is None or float(found[1]) == 0:
            raise InvalidField(REQUEST_TIMEOUT, "expected seconds above zero, as in 5, 2.5s or 500ms")
        seconds = min(seconds, float(found[1]) * _PLAIN_UNITS[found[2] or b""])
    return seconds
