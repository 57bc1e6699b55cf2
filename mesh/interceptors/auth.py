"""Lets only those in who prove an identity with the scope that the contract of the RPC states."""

from __future__ import annotations

from typing import Any

from mesh.auth.authenticator import Authenticator, Credentials, demand
from mesh.errors import MissingScope
from mesh.identity import LOCAL, Identity, acting_as
from mesh.methods import HEALTH, Method
from mesh.pipeline import Call, Context, Proceed

_SAN = "x509_subject_alternative_name"
_NAME = "x509_common_name"


class Auth:
    """Sets the identity of each call; without an authenticator everybody is ``LOCAL``.

    With one, everything is denied but what follows: health answers anybody, reflection anybody with an identity, and an
    RPC those who have the scope of its ``llamastack.access.v1.action``. An RPC without that option is open to nobody.
    """

    def __init__(self, authenticator: Authenticator | None) -> None:
        self._authenticator = authenticator

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` behind the check."""
        if method.service == HEALTH:
            return proceed
        authenticator = self._authenticator
        if authenticator is None:
            return _as_local(proceed)

        async def checked(call: Call) -> Any:
            identity = await demand(authenticator, Credentials(call.metadata, peer_names(call.context)))
            call.identity = identity
            check(identity, method)
            with acting_as(identity):
                return await proceed(call)

        return checked


def check(identity: Identity, method: Method) -> None:
    """Refuse an identity that may not call the method.

    Raises:
        MissingScope: it lacks the scope, or the contract names none.
    """
    if method.infrastructure or (method.action and identity.allows(method.area, method.action)):
        return
    raise MissingScope(method.scope or f"for {method.path}")


def peer_names(context: Context) -> tuple[str, ...]:
    """Return the names that the caller's certificate proves: its alternative names, or else its common name."""
    proved = context.auth_context()
    return tuple(name.decode("utf-8", "replace") for name in proved.get(_SAN) or proved.get(_NAME) or ())


def _as_local(proceed: Proceed) -> Proceed:
    async def local(call: Call) -> Any:
        call.identity = LOCAL
        with acting_as(LOCAL):
            return await proceed(call)

    return local
