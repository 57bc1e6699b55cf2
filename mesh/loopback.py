"""Which addresses are reachable from this machine alone."""

from __future__ import annotations

import ipaddress
from typing import Final

UNIX: Final = "unix:"


def is_loopback(bind: str) -> bool:
    """Return whether an address ``host:port``, ``[v6]:port`` or ``unix:path`` is reachable from this machine alone."""
    if bind.startswith(UNIX):
        return True
    host = bind.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
