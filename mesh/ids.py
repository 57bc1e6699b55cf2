"""Ids of resources: opaque to everybody, unique without asking anybody, in the order of their making.

An id is a UUID of version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. New rows so land at the end of
an index instead of anywhere in it. It is no secret: whoever saw many could guess others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random
from typing import Final
from uuid import UUID

# seeded by the system, which is not asked again for each id: a system call lets other threads of the process go first
_RANDOM: Final = Random()
os.register_at_fork(after_in_child=_RANDOM.seed)


def new_id(clock: Callable[[], float] = time.time) -> str:
    """Return a fresh id in the usual form of a UUID; ``clock`` gives Unix seconds."""
    milliseconds = int(clock() * 1000) & ((1 << 48) - 1)
    value = milliseconds << 80 | 7 << 76 | _RANDOM.getrandbits(12) << 64 | 2 << 62 | _RANDOM.getrandbits(62)
    return str(UUID(int=value))
