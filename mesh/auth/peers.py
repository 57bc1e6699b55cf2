"""Identities that a trusted service vouches for by its certificate (mutual TLS) instead of a signature."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Any

from mesh.auth.authenticator import Credentials
from mesh.errors import InvalidCredentials
from mesh.identity import Identity
from mesh.metadata import FORWARDED_IDENTITY


class PeerIdentity:
    """Accepts the identity that a caller forwards, if its certificate has one of the trusted names.

    What anybody else forwards is not looked at.
    """

    def __init__(self, trusted: Collection[str]) -> None:
        self._trusted = frozenset(trusted)

    def begin(self) -> None:
        """Do nothing: everything is there."""

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Return the forwarded identity, or None if there is none or the caller is not trusted to forward one.

        Raises:
            InvalidCredentials: a trusted caller sent something that can't be read.
        """
        value = credentials.metadata.get(FORWARDED_IDENTITY)
        if value is None or self._trusted.isdisjoint(credentials.peer):
            return None
        try:
            fields = json.loads(urlsafe_b64decode(value.encode("ascii")))
        except ValueError as error:
            raise InvalidCredentials("the forwarded identity can't be read") from error
        return _identity(fields)


class PeerForwarder:
    """Forwards identities to services that trust this service's certificate."""

    def pairs(self, identity: Identity) -> tuple[tuple[str, str], ...]:
        """Return the metadata that carries an identity."""
        fields = {"subject": identity.subject, "tenant": identity.tenant, "scopes": sorted(identity.scopes)}
        value = urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode("ascii")
        return ((FORWARDED_IDENTITY, value),)


def _identity(fields: Any) -> Identity:
    if isinstance(fields, dict):
        subject, tenant, scopes = fields.get("subject"), fields.get("tenant"), fields.get("scopes")
        if isinstance(subject, str) and isinstance(tenant, str) and tenant and isinstance(scopes, list):
            return Identity(subject, tenant, frozenset(str(scope) for scope in scopes))
    raise InvalidCredentials("the forwarded identity is incomplete")
