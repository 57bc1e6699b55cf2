"""The token of whoever calls, for MCP servers that are registered to get it; kept for a block's time, never longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_authorization: ContextVar[str | None] = ContextVar("tools_authorization", default=None)


def authorization() -> str | None:
    """Return the caller's Authorization header, None if there is none."""
    return _authorization.get()


@contextmanager
def calling_with(header: str | None) -> Iterator[None]:
    """Run the block on behalf of a caller with this Authorization header."""
    token = _authorization.set(header)
    try:
        yield
    finally:
        _authorization.reset(token)
