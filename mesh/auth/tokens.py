"""Signed identities between services: short-lived JWTs (HS256) under a secret that the services of one mesh share.

The caller's identity travels in ``x-llamastack-identity`` from hop to hop; each service signs it anew with its own
expiry. Secrets can be rotated: the first one signs, all of them verify.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt

from mesh.auth.authenticator import Credentials
from mesh.auth.bearer import Remembered
from mesh.errors import InvalidCredentials
from mesh.identity import Identity
from mesh.metadata import IDENTITY

AUDIENCE: Final = "altiplano-mesh"
LIFETIME_S: Final = 60
SECRET_BYTES: Final = 32
"""The least length of a secret, the size of the hash (RFC 7518, 3.2)."""

_ALGORITHM: Final = "HS256"
_LEEWAY_S: Final = 5
_REMEMBERED: Final = 4096


class TokenSigner:
    """Signs identities; one token serves half of its lifetime, so that a busy service signs rarely."""

    def __init__(self, secret: str, issuer: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = _long_enough(secret)
        self._issuer = issuer
        self._clock = clock
        self._signed: Remembered[str] = Remembered(_REMEMBERED)
        self._last: tuple[Identity | None, tuple[tuple[str, str], ...], float] = (None, (), 0.0)

    def sign(self, identity: Identity) -> str:
        """Return a token for an identity, valid for at least half a lifetime."""
        now = self._clock()
        token = self._signed.get(identity, now)
        if token is None:
            claims = {
                "iss": self._issuer,
                "aud": AUDIENCE,
                "sub": identity.subject,
                "tenant": identity.tenant,
                "scopes": sorted(identity.scopes),
                "iat": int(now),
                "exp": int(now) + LIFETIME_S,
            }
            token = jwt.encode(claims, self._secret, algorithm=_ALGORITHM)
            self._signed.put(identity, token, now + LIFETIME_S / 2)
        return token

    def pairs(self, identity: Identity) -> tuple[tuple[str, str], ...]:
        """Return the metadata that carries an identity."""
        last, pairs, until = self._last
        if last is not identity or self._clock() >= until:
            pairs = ((IDENTITY, self.sign(identity)),)
            # a second is less than what is left of a token that is still given out
            self._last = identity, pairs, self._clock() + 1.0
        return pairs


class SignedIdentity:
    """Accepts identities that a service of this mesh signed."""

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._secrets = tuple(_long_enough(secret) for secret in secrets)
        self._clock = clock
        self._verified: Remembered[Identity] = Remembered(_REMEMBERED)

    def begin(self) -> None:
        """Do nothing: everything is there."""

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Return the signed identity, or None if the call carries none.

        Raises:
            InvalidCredentials: it is not signed with a secret of this mesh, or its time is over.
        """
        token = credentials.metadata.get(IDENTITY)
        return None if token is None else self.verify(token)

    def verify(self, token: str) -> Identity:
        """Return the identity of a token.

        Raises:
            InvalidCredentials: it is not signed with a secret of this mesh, or its time is over.
        """
        now = self._clock()
        identity = self._verified.get(token, now)
        if identity is None:
            claims = self._claims(token)
            identity = _identity(claims)
            until: float = claims["exp"] + _LEEWAY_S
            if not claims["iat"] - _LEEWAY_S <= now < until:
                raise InvalidCredentials("the signed identity is not valid now")
            self._verified.put(token, identity, until)
        return identity

    def _claims(self, token: str) -> dict[str, Any]:
        # times are checked against this object's clock
        options = {"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "sub"]}
        for secret in self._secrets:
            try:
                return jwt.decode(
                    token,
                    secret,
                    algorithms=[_ALGORITHM],
                    audience=AUDIENCE,
                    options=options,  # type: ignore[arg-type]  # a TypedDict of the library's own
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError as error:
                raise InvalidCredentials("the signed identity is not valid") from error
        raise InvalidCredentials("the signed identity is not from this mesh")


def _identity(claims: dict[str, Any]) -> Identity:
    subject, tenant, scopes = claims.get("sub"), claims.get("tenant"), claims.get("scopes")
    if not (isinstance(claims["iat"], int) and isinstance(claims["exp"], int)):
        raise InvalidCredentials("the signed identity has no times")
    if not (isinstance(subject, str) and isinstance(tenant, str) and tenant and isinstance(scopes, list)):
        raise InvalidCredentials("the signed identity is incomplete")
    return Identity(subject, tenant, frozenset(str(scope) for scope in scopes))


def _long_enough(secret: str) -> str:
    if len(secret.encode()) < SECRET_BYTES:
        raise ValueError(f"a mesh secret has at least {SECRET_BYTES} bytes")
    return secret
