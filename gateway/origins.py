"""Keeps web pages of others away from a gateway that asks nobody who they are.

A browser lets any page send simple requests to any address that it can reach, the user's own loopback included. Where
callers prove who they are, a page has nothing to show; where they do not, only pages of this gateway itself and of the
origins that the settings name may call. Callers that are no browsers send no Origin and name the machine that they
call, so that they are not affected.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.errors import ForeignHost, ForeignOrigin
from mesh.loopback import is_loopback

ANY = "*"

# names of this machine that callers use; more than that are asked anew
_MOST = 64


class OriginCheck:
    """Compares Origin with Host, and Host with this machine.

    Args:
        allowed: further origins, ``*`` for all.
        local: the gateway is bound to loopback, so that Host has to name this machine, or the host of an allowed
            origin: a name that somebody else points at 127.0.0.1 makes a foreign page look like one of our own, and a
            browser sends no Origin when such a page reads.
    """

    def __init__(self, allowed: frozenset[str], *, local: bool) -> None:
        self._allowed = allowed
        self._any = ANY in allowed
        self._hosts = frozenset(urlsplit(origin).netloc for origin in allowed)
        self._local = local
        self._known: set[bytes] = set()

    def check(self, request: Mapping[bytes, bytes]) -> None:
        """Let a request pass.

        Raises:
            ForeignOrigin: it comes from a page of somebody else.
            ForeignHost: it may come from a page of somebody else, since it names another machine.
        """
        if self._any:
            return
        host = request.get(b"host")
        given = request.get(b"origin")
        # HTTP/1.0 has no hosts
        ours = not self._local or host is None or host in self._known or self._is_ours(host)
        if given is None:
            if not ours:
                raise ForeignHost
            return
        origin = given.decode("latin-1")
        if not origin or origin in self._allowed:
            return
        own = (host or b"").decode("latin-1")
        if not ours or origin not in (f"http://{own}", f"https://{own}"):
            raise ForeignOrigin

    def _is_ours(self, host: bytes) -> bool:
        text = host.decode("latin-1").lower()
        ours = text in self._hosts or is_loopback(f"{_name(text)}:0")
        if ours and len(self._known) < _MOST:
            self._known.add(host)
        return ours


def _name(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
