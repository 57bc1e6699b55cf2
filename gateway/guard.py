"""Lets a request through to an RPC if its caller may call it. Without an authenticator everybody may do everything."""

from __future__ import annotations

from gateway.contract import Rpc
from gateway.exchange import Exchange
from mesh.auth.authenticator import Authenticator, Credentials, demand
from mesh.errors import MissingScope
from mesh.identity import LOCAL, Identity

# an identity that services sign for each other is none of these: it is never accepted from outside
_SHOWN = (b"authorization", b"x-api-key")


class Guard:
    """Checks callers at the edge. ``authenticator`` is None where authentication is off."""

    def __init__(self, authenticator: Authenticator | None) -> None:
        self._authenticator = authenticator

    @property
    def enabled(self) -> bool:
        """Whether callers have to prove who they are."""
        return self._authenticator is not None

    async def admit(self, exchange: Exchange, rpc: Rpc) -> Identity:
        """Return the caller's identity.

        Raises:
            InvalidCredentials: there are no credentials, or bad ones.
            MissingScope: the caller lacks the RPC's scope, or its contract states none, which opens it to nobody.
            BackendUnavailable: what the check needs can't be reached.
        """
        if self._authenticator is None:
            return LOCAL
        headers = exchange.headers
        shown = {name.decode(): headers[name].decode("latin-1") for name in _SHOWN if name in headers}
        identity = await demand(self._authenticator, Credentials(shown))
        exchange.subject = identity.subject
        if not rpc.action or not identity.allows(rpc.area, rpc.action):
            raise MissingScope(rpc.scope or f"for {rpc.path}")
        return identity
