"""Pages of a list that is ordered by id; a token holds the last id of the page before it."""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from mesh.errors import OutOfRange

Item = TypeVar("Item")
DEFAULT_SIZE = 100


def page_of(items: Sequence[Item], key: Callable[[Item], str], *, size: int, token: str) -> tuple[Sequence[Item], str]:
    """Return one page and the token of the next one, which is empty on the last page.

    Args:
        items: everything, ordered by ``key``.
        key: gives an item's id.
        size: items a page; 0 means 100.
        token: of the page; empty for the first one.

    Raises:
        OutOfRange: the token is not one of these.
    """
    after = _read(token) if token else None
    rest = [item for item in items if after is None or key(item) > after]
    page = rest[: size or DEFAULT_SIZE]
    return page, _write(key(page[-1])) if len(page) < len(rest) else ""


def _write(last: str) -> str:
    return urlsafe_b64encode(last.encode()).decode()


def _read(token: str) -> str:
    try:
        return b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise OutOfRange("page_token is not one that a list gave") from error
