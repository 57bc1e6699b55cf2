"""JWTs of an identity provider, verified against its keys; only asymmetric algorithms.

Verified tokens are remembered until they expire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from mesh.auth.authenticator import Credentials
from mesh.auth.bearer import Remembered, bearer, looks_like_jwt
from mesh.auth.keyset import KeySet
from mesh.errors import InvalidCredentials
from mesh.identity import Identity

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_LEEWAY_S: Final = 30
_REMEMBERED: Final = 8192


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a token has to say. ``tenant_claim`` and ``scope_claim`` name the claims with the tenant and the scopes.

    Scopes are a list or one string with blanks between them. A token without a tenant is refused.
    """

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"


class Jwts:
    """Accepts bearer tokens of one issuer for one audience."""

    def __init__(self, rules: JwtRules, keys: KeySet, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._verified: Remembered[Identity] = Remembered(_REMEMBERED)

    def begin(self) -> None:
        """Begin to get the provider's keys."""
        self._keys.begin()

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Return the identity of the token, or None if there is no bearer token in the form of a JWT.

        Raises:
            InvalidCredentials: the token is not valid for these rules.
            BackendUnavailable: the provider's keys can't be had.
        """
        token = bearer(credentials.metadata)
        if token is None or not looks_like_jwt(token):
            return None
        now = self._clock()
        identity = self._verified.get(token, now)
        if identity is None:
            claims = await self._claims(token)
            until = _check_times(claims, now)
            identity = self._identity(claims)
            self._verified.put(token, identity, until)
        return identity

    async def _claims(self, token: str) -> dict[str, Any]:
        # times are checked against this object's clock
        options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["exp", "sub"]}
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise InvalidCredentials("the token is signed in a way that is not accepted")
            return jwt.decode(
                token,
                await self._keys.key(header.get("kid")),
                algorithms=[header["alg"]],
                audience=self._rules.audience,
                issuer=self._rules.issuer,
                options=options,  # type: ignore[arg-type]  # a TypedDict of the library's own
            )
        except jwt.PyJWTError as error:
            raise InvalidCredentials("the token is not valid") from error

    def _identity(self, claims: dict[str, Any]) -> Identity:
        tenant, scopes = claims.get(self._rules.tenant_claim), claims.get(self._rules.scope_claim, [])
        if not isinstance(tenant, str) or not tenant:
            raise InvalidCredentials("the token names no tenant")
        named = scopes.split() if isinstance(scopes, str) else scopes
        if not isinstance(named, list):
            raise InvalidCredentials("the token's scopes can't be read")
        return Identity(f"user:{claims['sub']}", tenant, frozenset(str(scope) for scope in named))


def _check_times(claims: dict[str, Any], now: float) -> float:
    """Return the instant until which the claims hold.

    Raises:
        InvalidCredentials: they do not hold now.
    """
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        raise InvalidCredentials("the token's times can't be read")
    if now >= expires + _LEEWAY_S:
        raise InvalidCredentials("the token has expired")
    if now < begins - _LEEWAY_S:
        raise InvalidCredentials("the token is not valid yet")
    return float(expires) + _LEEWAY_S
