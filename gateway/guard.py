"""Lets a request through to an RPC if its caller may call it. Without an authenticator everybody may do everything."""

from __future__ import annotations

import time
from typing import Any

from gateway.contract import Rpc
from gateway.exchange import Exchange
from mesh.audit import AuditLog
from mesh.auth.authenticator import Authenticator, Credentials, demand
from mesh.errors import InvalidCredentials, MeshError, MissingScope
from mesh.identity import LOCAL, Identity

# an identity that services sign for each other is none of these: it is never accepted from outside
_SHOWN = _TOKEN, _KEY = (b"authorization", b"x-api-key")


class Guard:
    """Checks callers at the edge, and records those that it turns away.

    ``authenticator`` is None where authentication is off, ``audit`` where nothing is recorded.

    What was found right is believed until the second is over: a busy caller shows the same key hundreds of times in it.
    """

    def __init__(self, authenticator: Authenticator | None, audit: AuditLog | None = None) -> None:
        self._authenticator = authenticator
        self._audit = audit
        self._admitted: dict[tuple[bytes | None, bytes | None, str], Identity] = {}
        self._until = 0

    @property
    def enabled(self) -> bool:
        """Whether callers have to prove who they are."""
        return self._authenticator is not None

    def knows(self, exchange: Exchange, rpc: Rpc) -> bool:
        """Return whether the caller's identity needs no looking up, and note it; False does not refuse anybody."""
        if self._authenticator is None:
            exchange.identity = LOCAL
            return True
        now = time.monotonic()
        if now >= self._until:
            self._until = int(now) + 1
            self._admitted.clear()
        headers = exchange.headers
        known = self._admitted.get((headers.get(_KEY), headers.get(_TOKEN), rpc.path))
        if known is None:
            return False
        exchange.identity, exchange.subject = known, known.subject
        return True

    async def admit(self, exchange: Exchange, rpc: Rpc) -> Identity:
        """Return the caller's identity, which the exchange has from then on.

        Raises:
            InvalidCredentials: there are no credentials, or bad ones.
            MissingScope: the caller lacks the RPC's scope, or its contract states none, which opens it to nobody.
            BackendUnavailable: what the check needs can't be reached.
        """
        if self._authenticator is None:
            exchange.identity = LOCAL
            return LOCAL
        try:
            return await self._check(self._authenticator, exchange, rpc)
        except (InvalidCredentials, MissingScope) as error:
            if self._audit is not None:
                self._audit.write(_entry(exchange, rpc, error))
            raise

    async def _check(self, authenticator: Authenticator, exchange: Exchange, rpc: Rpc) -> Identity:
        headers = exchange.headers
        shown = {name.decode(): headers[name].decode("latin-1") for name in _SHOWN if name in headers}
        identity = await demand(authenticator, Credentials(shown))
        exchange.subject = identity.subject
        if not rpc.action or not identity.allows(rpc.area, rpc.action):
            raise MissingScope(rpc.scope or f"for {rpc.path}")
        self._admitted[headers.get(_KEY), headers.get(_TOKEN), rpc.path] = exchange.identity = identity
        return identity


def _entry(exchange: Exchange, rpc: Rpc, error: MeshError) -> dict[str, Any]:
    """Return what is known of a request that was turned away."""
    return {
        "method": rpc.path.removeprefix("/"),
        "code": error.code.name,
        "reason": error.reason_name(),
        "subject": exchange.subject,
        "peer": exchange.client[0] if exchange.client and not exchange.subject else None,
        "request_id": exchange.request_id.decode("ascii"),
    }
