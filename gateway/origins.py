"""Keeps web pages of others away from a gateway that asks nobody who they are.

A browser lets any page send simple requests to any address that it can reach, the user's own loopback included. Where
callers prove who they are, a page has nothing to show; where they do not, only pages of this gateway itself and of the
origins that the settings name may call. Callers that are no browsers send no Origin and are not affected.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import ForeignOrigin
from mesh.loopback import is_loopback

ANY = "*"


class OriginCheck:
    """Compares Origin with Host.

    Args:
        allowed: further origins, ``*`` for all.
        local: the gateway is bound to loopback, so that Host has to name this machine: a name that somebody else
            points at 127.0.0.1 makes a foreign page look like one of our own.
    """

    def __init__(self, allowed: frozenset[str], *, local: bool) -> None:
        self._allowed = allowed
        self._local = local

    def check(self, request: Mapping[bytes, bytes]) -> None:
        """Let a request pass.

        Raises:
            ForeignOrigin: it comes from a page of somebody else.
        """
        origin = request.get(b"origin", b"").decode("latin-1")
        if not origin or ANY in self._allowed or origin in self._allowed:
            return
        host = request.get(b"host", b"").decode("latin-1")
        own = origin in (f"http://{host}", f"https://{host}")
        if not own or (self._local and not is_loopback(f"{_name(host)}:0")):
            raise ForeignOrigin


def _name(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
