"""Sends the identity that a service acts under along with every call that it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mesh.channel import Pairs
from mesh.identity import Identity, current_or_none


class Vouching(Protocol):
    """A way to vouch for an identity towards another service."""

    def pairs(self, identity: Identity) -> tuple[tuple[str, str], ...]:
        """Return the metadata that carries an identity."""
        ...


class IdentityCompanion:
    """Adds the current identity to outgoing calls, or ``own`` where no call or job set one."""

    def __init__(self, vouching: Vouching, own: Identity | None = None) -> None:
        self._vouching = vouching
        self._own = own

    def outgoing(self, path: str) -> tuple[Pairs, Callable[[Any], None] | None]:
        """Return the metadata that carries the identity; nothing if there is none."""
        identity = current_or_none() or self._own
        return ((), None) if identity is None else (self._vouching.pairs(identity), None)
