"""Ports of loopback for processes that are told where to listen."""

from __future__ import annotations

import random
import socket
from itertools import cycle
from typing import Final

BELOW_EPHEMERAL: Final = range(20_000, 30_000)
"""The system takes ports of connections from higher up, so that none is lost before the process listens."""
_ORDER: Final = cycle(random.SystemRandom().sample(BELOW_EPHEMERAL, k=len(BELOW_EPHEMERAL)))


def free_port() -> int:
    """Return a port that nobody listens on, and that is given to nobody else before all others are."""
    return next(port for port in _ORDER if _free(port))


def free_address() -> str:
    """Return ``host:port`` of such a port."""
    return f"127.0.0.1:{free_port()}"


def _free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
