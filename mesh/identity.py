"""Who is calling: the one place that a service takes the caller's subject, tenant and scopes from.

The auth interceptor sets the identity for the duration of a call; a background job sets the one that its row names.
This module does not know how an identity is proved or how it travels.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: ``subject`` as in ``key:ci`` or ``user:ann``, the tenant that owns what it makes, its scopes.

    A scope is ``<area>:<action>`` as in ``inference:use``; ``*`` on either side means all.
    """

    subject: str
    tenant: str
    scopes: frozenset[str]

    def allows(self, area: str, action: str) -> bool:
        """Return whether the scopes grant the action (``read``, ``use``, ``write``, ``admin``) in the area."""
        scopes = self.scopes
        return (
            f"{area}:{action}" in scopes
            or f"{area}:{ANY}" in scopes
            or f"{ANY}:{action}" in scopes
            or f"{ANY}:{ANY}" in scopes
        )


LOCAL: Final = Identity(subject="local", tenant="default", scopes=frozenset({"*:*"}))
"""The caller where authentication is off: everybody on this machine, one tenant, everything allowed."""

_current: ContextVar[Identity | None] = ContextVar("mesh_identity", default=None)


def current() -> Identity:
    """Return the identity of the call or job that runs now.

    Raises:
        LookupError: nothing set one; outside of a call, say who acts with ``acting_as``.
    """
    identity = _current.get()
    if identity is None:
        raise LookupError("no identity is set here: use acting_as(identity) outside of a call")
    return identity


def current_or_none() -> Identity | None:
    """Return the identity of the call or job that runs now, or None outside of any."""
    return _current.get()


def become(identity: Identity) -> None:
    """Act as an identity, calls to other services included, for the rest of the task that runs now."""
    _current.set(identity)


class acting_as:
    """Runs a block as an identity, calls to other services included; a generator would cost each call more."""

    __slots__ = ("_identity", "_token")

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def __enter__(self) -> Identity:
        """Begin to act."""
        self._token = _current.set(self._identity)
        return self._identity

    def __exit__(self, *_: object) -> None:
        """Be who one was before."""
        _current.reset(self._token)
