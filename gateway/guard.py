"""Lets a request through to an RPC if its caller may call it. Without an authenticator everybody may do everything."""

from __future__ import annotations

import time

from gateway.contract import Rpc
from gateway.exchange import Exchange
from mesh.auth.authenticator import Authenticator, Credentials, demand
from mesh.errors import MissingScope
from mesh.identity import LOCAL, Identity

# an identity that services sign for each other is none of these: it is never accepted from outside
_SHOWN = (b"authorization", b"x-api-key")


class Guard:
    """Checks callers at the edge. ``authenticator`` is None where authentication is off.

    What was found right is believed until the second is over: a busy caller shows the same key hundreds of times in it.
    """

    def __init__(self, authenticator: Authenticator | None) -> None:
        self._authenticator = authenticator
        self._admitted: dict[tuple[bytes | None, bytes | None, str], Identity] = {}
        self._second = 0

    @property
    def enabled(self) -> bool:
        """Whether callers have to prove who they are."""
        return self._authenticator is not None

    def known(self, exchange: Exchange, rpc: Rpc) -> Identity | None:
        """Return the caller's identity if that needs no looking up; None does not mean that there is none."""
        if self._authenticator is None:
            return LOCAL
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._admitted.clear()
        headers = exchange.headers
        return self._admitted.get((headers.get(_SHOWN[0]), headers.get(_SHOWN[1]), rpc.path))

    async def admit(self, exchange: Exchange, rpc: Rpc) -> Identity:
        """Return the caller's identity.

        Raises:
            InvalidCredentials: there are no credentials, or bad ones.
            MissingScope: the caller lacks the RPC's scope, or its contract states none, which opens it to nobody.
            BackendUnavailable: what the check needs can't be reached.
        """
        known = self.known(exchange, rpc)
        if known is not None or self._authenticator is None:
            exchange.subject = "" if known is None or known is LOCAL else known.subject
            return LOCAL if known is None else known
        headers = exchange.headers
        shown = {name.decode(): headers[name].decode("latin-1") for name in _SHOWN if name in headers}
        identity = await demand(self._authenticator, Credentials(shown))
        exchange.subject = identity.subject
        if not rpc.action or not identity.allows(rpc.area, rpc.action):
            raise MissingScope(rpc.scope or f"for {rpc.path}")
        self._admitted[headers.get(_SHOWN[0]), headers.get(_SHOWN[1]), rpc.path] = identity
        return identity
