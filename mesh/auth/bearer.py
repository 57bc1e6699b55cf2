"""The bearer token of a request, and a bounded memory for what was verified."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

from mesh.metadata import API_KEY, AUTHORIZATION

Kept = TypeVar("Kept")

_SCHEME = "bearer "


def bearer(metadata: Mapping[str, str]) -> str | None:
    """Return the token of ``authorization: Bearer TOKEN``, or None if there is none."""
    value = metadata.get(AUTHORIZATION, "")
    if value[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return value[len(_SCHEME) :].strip() or None


def api_key(metadata: Mapping[str, str]) -> str | None:
    """Return the value of ``x-api-key``, or else the bearer token."""
    return metadata.get(API_KEY) or bearer(metadata)


def looks_like_jwt(token: str) -> bool:
    """Return whether a token has the three parts of a signed JWT."""
    return token.count(".") == 2


class Remembered(Generic[Kept]):
    """Values by key, each until an instant; at most ``size``, the one unused for longest goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[object, tuple[Kept, float]] = OrderedDict()

    def get(self, key: object, now: float) -> Kept | None:
        """Return what is kept under the key, or None if there is nothing or its time has come."""
        found = self._kept.get(key)
        if found is None:
            return None
        value, until = found
        if now >= until:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value

    def put(self, key: object, value: Kept, until: float) -> None:
        """Keep a value until an instant of the same clock that ``get`` is asked with."""
        self._kept[key] = (value, until)
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
