"""The interface between a call's credentials and an identity, and the composition of several ways to prove one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.errors import InvalidCredentials
from mesh.identity import Identity


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller shows: the call's metadata (keys in lower case) and the names that its certificate proves.

    The gateway fills the metadata with the request's headers. ``peer`` is empty without mutual TLS.
    """

    metadata: Mapping[str, str]
    peer: tuple[str, ...] = ()


class Authenticator(Protocol):
    """One way to prove an identity."""

    def begin(self) -> None:
        """Begin to get what the first caller's check will need, in a running event loop; waits for nothing."""
        ...

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Return the caller's identity, or None if there are no credentials of this kind.

        Raises:
            InvalidCredentials: there are some and they are not valid; no other way is tried then.
            BackendUnavailable: what the check needs (the key set of an issuer) can't be reached.
        """
        ...


class FirstOf:
    """Tries several ways in order and takes the first that finds credentials of its kind."""

    def __init__(self, ways: Sequence[Authenticator]) -> None:
        self._ways = tuple(ways)

    def begin(self) -> None:
        """Begin each way."""
        for way in self._ways:
            way.begin()

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Return what the first fitting way returns, None if none fits."""
        for way in self._ways:
            identity = await way.authenticate(credentials)
            if identity is not None:
                return identity
        return None


async def demand(authenticator: Authenticator, credentials: Credentials) -> Identity:
    """Return the caller's identity.

    Raises:
        InvalidCredentials: there are no credentials, or bad ones.
    """
    identity = await authenticator.authenticate(credentials)
    if identity is None:
        raise InvalidCredentials()
    return identity
