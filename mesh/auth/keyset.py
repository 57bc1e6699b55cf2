"""The public keys of an identity provider (JWKS, RFC 7517), kept fresh while tokens are shown.

Keys are got anew after an hour, and when a token names an unknown one, then at most every half minute. While the
provider can't be read the keys that are known go on to be trusted, and it is asked again after one second, two, four
and so on, up to a minute.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Final

import jwt

from mesh.auth.provider import Fetch
from mesh.errors import BackendUnavailable, InvalidCredentials

log = logging.getLogger(__name__)

_LIFETIME_S: Final = 3600.0
_REFETCH_S: Final = 30.0
_FETCH_S: Final = 12.0
_MAX_PAUSE_S: Final = 60.0
_SIGNING: Final = (None, "sig")


class KeySet:
    """The keys of one provider by their ids; calls wait for them only where they can't do without.

    Args:
        fetch: gets the set.
        clock: seconds from any origin that never go back.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        # from when on the set is got anew: for any key, and for one that is unknown
        self._due = self._due_if_unknown = clock()
        self._failures = 0
        self._refreshing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to get the keys, in a running event loop; that it can't be done is told in the log."""
        self._refresh()

    async def key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key with an id.

        Raises:
            InvalidCredentials: the provider has no such key.
            BackendUnavailable: the key is not known, and the provider can't be read.
        """
        known = key_id in self._keys
        if self._clock() >= (self._due if known else self._due_if_unknown):
            refreshing = self._refresh()
            # a provider that is away holds up nobody whose key is known
            if not (known and self._failures):
                await asyncio.shield(refreshing)
        if key_id in self._keys:
            return self._keys[key_id]
        if self._failures:
            raise BackendUnavailable("the keys of the identity provider can't be read")
        raise InvalidCredentials("the token is signed with an unknown key")

    def _refresh(self) -> asyncio.Task[None]:
        """Return the attempt that is under way, or a new one."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._attempt())
        return self._refreshing

    async def _attempt(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_S):
                keys = parse_keys(await self._fetch())
        except (OSError, ValueError, TypeError, jwt.PyJWTError) as error:
            self._failures += 1
            self._due = self._due_if_unknown = self._clock() + min(2.0 ** (self._failures - 1), _MAX_PAUSE_S)
            reason = str(error) or "no answer in time"
            log.warning("the keys of the identity provider can't be read (%d known): %s", len(self._keys), reason)
            return
        if self._failures or {key.key_id for key in keys} != self._keys.keys():
            log.info("took up the keys of the identity provider: %d", len(keys))
        self._keys = {key.key_id: key for key in keys}
        self._failures = 0
        self._due, self._due_if_unknown = self._clock() + _LIFETIME_S, self._clock() + _REFETCH_S


def parse_keys(raw: bytes) -> list[jwt.PyJWK]:
    """Return the keys of a set that sign.

    Raises:
        ValueError, TypeError, jwt.PyJWTError: it is no key set, or there is none in it.
    """
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise ValueError("the key set is not JSON") from error
    if not isinstance(found, dict):
        raise jwt.PyJWKSetError("the key set is not an object")
    keys = [key for key in jwt.PyJWKSet.from_dict(found).keys if key.public_key_use in _SIGNING]
    if not keys:
        raise jwt.PyJWKSetError("the key set has no key that signs")
    return keys
