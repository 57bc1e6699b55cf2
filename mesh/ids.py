"""Ids of resources: opaque to everybody, unique without asking anybody, in the order of their making.

An id is a UUID of version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. New rows so land at the end of
an index instead of anywhere in it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from uuid import UUID


def new_id(clock: Callable[[], float] = time.time) -> str:
    """Return a fresh id in the usual form of a UUID; ``clock`` gives Unix seconds."""
    milliseconds = int(clock() * 1000) & ((1 << 48) - 1)
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(UUID(int=value))
