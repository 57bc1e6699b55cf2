"""Ports of loopback for processes that are told where to listen."""

from __future__ import annotations

import random
import socket
from typing import Final

BELOW_EPHEMERAL: Final = range(20_000, 30_000)
"""The system takes ports of connections from higher up, so that none is lost before the process listens."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(BELOW_EPHEMERAL)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def free_address() -> str:
    """Return ``host:port`` of such a port."""
    return f"127.0.0.1:{free_port()}"
