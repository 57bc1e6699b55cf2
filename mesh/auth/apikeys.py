"""API keys: random strings that stand for an identity, known to the server by their hash alone.

A key has 256 random bits, so a plain SHA-256 of it can't be turned back and needs no salt; a slow hash is for
passwords. The file (or variable) that lists the keys is JSON::

    [{"name": "ci", "tenant": "acme", "sha256": "<64 hex digits>", "scopes": ["inference:use"],
      "expires": "2027-01-01T00:00:00+00:00"}]
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from mesh.auth.authenticator import Credentials
from mesh.auth.bearer import api_key, looks_like_jwt
from mesh.errors import InvalidCredentials
from mesh.identity import Identity
from mesh.metadata import API_KEY

PREFIX: Final = "alp_"
_HEX_DIGITS: Final = 64


class KeysError(ValueError):
    """A list of API keys can't be used; the text names the entry and never its hash."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key: whom it stands for, the SHA-256 of it in hex, and the Unix time from which on it is worthless."""

    identity: Identity
    digest: str
    expires: float | None = None


def new_key() -> tuple[str, str]:
    """Return a fresh key and its SHA-256 in hex; the key itself is shown once and kept nowhere."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, digest(key)


def digest(key: str) -> str:
    """Return the SHA-256 of a key in hex."""
    return sha256(key.encode()).hexdigest()


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Return the keys of a JSON list as above.

    Raises:
        KeysError: it is not such a list.
    """
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise KeysError("API keys: not a JSON list") from error
    if not isinstance(entries, list):
        raise KeysError("API keys: not a JSON list")
    return tuple(_parse(index, entry) for index, entry in enumerate(entries))


class ApiKeys:
    """Accepts API keys in ``x-api-key`` or as a bearer token."""

    def __init__(self, keys: Iterable[ApiKey], clock: Callable[[], float] = time.time) -> None:
        self._keys = {key.digest: key for key in keys}
        self._clock = clock

    def begin(self) -> None:
        """Do nothing: everything is there."""

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Return the identity of the key, or None if there is none or it is a JWT, which is not for here.

        Raises:
            InvalidCredentials: the key is unknown or expired.
        """
        key = api_key(credentials.metadata)
        if key is None or (API_KEY not in credentials.metadata and looks_like_jwt(key)):
            return None
        shown = digest(key)
        found = self._keys.get(shown)
        if found is None or not hmac.compare_digest(found.digest, shown):
            raise InvalidCredentials("the API key is not valid")
        if found.expires is not None and self._clock() >= found.expires:
            raise InvalidCredentials("the API key has expired")
        return found.identity


def _parse(index: int, entry: Any) -> ApiKey:
    if not isinstance(entry, dict):
        raise KeysError(f"API keys: entry {index} is not an object")
    name, tenant, hashed, scopes = (entry.get(member) for member in ("name", "tenant", "sha256", "scopes"))
    if not (isinstance(name, str) and name and isinstance(tenant, str) and tenant):
        raise KeysError(f"API keys: entry {index} needs a name and a tenant")
    if not (isinstance(hashed, str) and len(hashed) == _HEX_DIGITS):
        raise KeysError(f"API keys: the sha256 of {name!r} is not {_HEX_DIGITS} hex digits")
    if not (isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes)):
        raise KeysError(f"API keys: the scopes of {name!r} are not a list of strings")
    identity = Identity(f"key:{name}", tenant, frozenset(scopes))
    return ApiKey(identity, hashed.lower(), _expiry(name, entry.get("expires")))


def _expiry(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise KeysError(f"API keys: expires of {name!r} is not a time as in 2027-01-01T00:00:00+00:00") from error
    if moment.tzinfo is None:
        raise KeysError(f"API keys: expires of {name!r} lacks its offset from UTC")
    return moment.timestamp()
