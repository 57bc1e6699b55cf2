"""The headers of a request as they came, made into one value for each name. Knows nothing of connections."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import BadHead, HeadTooLarge

HEAD_BYTES = 64 * 1024
"""Bytes of a head, and bytes in a row of a body's framing."""

_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"authorization", b"x-api-key"})
# the colon, the space and the line's end
_AROUND = 4

Pairs = Sequence[tuple[bytes, bytes]]


def joined(pairs: Pairs) -> dict[bytes, bytes]:
    """Return each header once, the values of a repeated one as a list (RFC 9110, 5.3)."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def demand_single(pairs: Pairs) -> None:
    """Refuse what others may read otherwise than we do.

    Raises:
        BadHead: a header that decides on the message or its sender is there twice.
    """
    names = [name for name, _ in pairs if name in _SINGLE]
    if len(set(names)) != len(names):
        raise BadHead("a header that may occur once occurs twice")


def demand_small(target: bytes, pairs: Pairs) -> None:
    """Hold a complete head to its limit.

    Raises:
        HeadTooLarge: it has more than ``HEAD_BYTES``.
    """
    if len(target) + sum(len(name) + len(value) + _AROUND for name, value in pairs) > HEAD_BYTES:
        raise head_too_large()


def head_too_large() -> HeadTooLarge:
    """Return the error of a head that has too many bytes."""
    return HeadTooLarge(f"the head of a request may have at most {HEAD_BYTES} bytes")
