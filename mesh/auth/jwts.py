"""JWTs of an identity provider, verified against its key set (JWKS, RFC 7517); only asymmetric algorithms.

Verified tokens are remembered until they expire, keys for an hour; an unknown key id makes the set be fetched again, at
most every half minute. If the provider can't be reached, the keys that are known go on to be trusted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import jwt

from mesh.auth.authenticator import Credentials
from mesh.auth.bearer import Remembered, bearer, looks_like_jwt
from mesh.errors import BackendUnavailable, InvalidCredentials
from mesh.identity import Identity

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_LEEWAY_S: Final = 30
_KEYS_LIFETIME_S: Final = 3600.0
_REFETCH_S: Final = 30.0
_FETCH_TIMEOUT_S: Final = 5.0
_MAX_JWKS_BYTES: Final = 1 << 20
_REMEMBERED: Final = 8192

Fetch = Callable[[], Awaitable[bytes]]
"""Gets the key set as JSON; raises OSError if it can't."""


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a token has to say. ``tenant_claim`` and ``scope_claim`` name the claims with the tenant and the scopes.

    Scopes are a list or one string with blanks between them. A token without a tenant is refused.
    """

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"


def fetch_from(source: str) -> Fetch:
    """Return what gets a key set from an http(s) URL or from a file."""

    def read() -> bytes:
        if not source.startswith(("https://", "http://")):
            return Path(source.removeprefix("file://")).read_bytes()
        with urlopen(source, timeout=_FETCH_TIMEOUT_S) as response:
            return bytes(response.read(_MAX_JWKS_BYTES))

    return lambda: asyncio.to_thread(read)


class KeySet:
    """The public keys of an identity provider, by key id."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key with an id.

        Raises:
            InvalidCredentials: the provider has no such key.
            BackendUnavailable: no key is known and the provider can't be reached.
        """
        if self._stale(_KEYS_LIFETIME_S) or (key_id not in self._keys and self._stale(_REFETCH_S)):
            async with self._lock:
                if self._stale(_KEYS_LIFETIME_S) or (key_id not in self._keys and self._stale(_REFETCH_S)):
                    await self._refresh()
        if key_id not in self._keys:
            raise InvalidCredentials("the token is signed with an unknown key")
        return self._keys[key_id]

    def _stale(self, age: float) -> bool:
        return self._fetched is None or self._clock() - self._fetched >= age

    async def _refresh(self) -> None:
        try:
            keys = _parse_keys(await self._fetch())
        except (OSError, URLError, ValueError, jwt.PyJWTError) as error:
            if not self._keys:
                raise BackendUnavailable("the key set of the identity provider can't be read") from error
        else:
            self._keys = {key.key_id: key for key in keys}
        # a failed attempt counts too, or else every call would wait for the timeout
        self._fetched = self._clock()


def _parse_keys(raw: bytes) -> list[jwt.PyJWK]:
    found = json.loads(raw)
    if not isinstance(found, dict):
        raise jwt.PyJWKSetError("the key set is not an object")
    return jwt.PyJWKSet.from_dict(found).keys


class Jwts:
    """Accepts bearer tokens of one issuer for one audience."""

    def __init__(self, rules: JwtRules, keys: KeySet, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._verified: Remembered[Identity] = Remembered(_REMEMBERED)

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
