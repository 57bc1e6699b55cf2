"""Page tokens of list RPCs: where the next page begins, opaque to callers.

A token holds the sort key of the last item of a page, so that items that are added or removed meanwhile neither repeat
nor hide others. It is bound to the list that it came from.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, TypeAlias

from mesh.errors import OutOfRange

Key: TypeAlias = tuple[str | int | float, ...]
"""The sort key of an item; its parts keep their types."""

DEFAULT_SIZE: Final = 100


def page_size(asked: int) -> int:
    """Return how many items a page has: what was asked for, or the default for 0."""
    return asked or DEFAULT_SIZE


def write_token(which: str, after: Key) -> str:
    """Return the token for the page after an item of the list ``which`` (the RPC's name and its filters)."""
    return urlsafe_b64encode(json.dumps([which, *after], separators=(",", ":")).encode()).decode("ascii").rstrip("=")


def read_token(which: str, token: str) -> Key | None:
    """Return the key after which a page begins, or None for the first page (an empty token).

    Raises:
        OutOfRange: the token points nowhere in this list.
    """
    if not token:
        return None
    try:
        found = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise OutOfRange("the page token points nowhere") from error
    whole = isinstance(found, list) and len(found) > 1 and found[0] == which
    if not whole or not all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in found):
        raise OutOfRange("the page token is not one of this list")
    return tuple(found[1:])
