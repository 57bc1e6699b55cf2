"""The metadata keys of the mesh, and what of an incoming call's metadata travels on with the calls below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from mesh.ids import new_id

IDENTITY: Final = "x-llamastack-identity"
FORWARDED_IDENTITY: Final = "x-llamastack-forwarded-identity"
REQUEST_ID: Final = "x-request-id"
PROVIDER_DATA: Final = "x-llamastack-providerdata"
AUTHORIZATION: Final = "authorization"
API_KEY: Final = "x-api-key"

PASSED_ON: Final = (REQUEST_ID, PROVIDER_DATA)
"""Keys that every call below an incoming call carries unchanged. Trace context and identity are composed anew."""

SECRET_KEYS: Final = frozenset({AUTHORIZATION, IDENTITY, FORWARDED_IDENTITY, PROVIDER_DATA, API_KEY, "cookie"})
"""Keys whose values never reach a log or a trace."""

_REQUEST_ID_LIMIT: Final = 128

_passed: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("mesh_passed_on", default=())


def passed_on() -> tuple[tuple[str, str], ...]:
    """Return the pairs that calls below the current one carry."""
    return _passed.get()


def request_id() -> str | None:
    """Return the id of the request that runs now, or None outside of any."""
    return next((value for key, value in _passed.get() if key == REQUEST_ID), None)


def accept(incoming: Mapping[str, str]) -> None:
    """Take over, for the task that runs now, what travels on from an incoming call's metadata.

    A request without an id, or with one over 128 characters, gets a fresh one.
    """
    identifier = incoming.get(REQUEST_ID, "")
    if not 0 < len(identifier) <= _REQUEST_ID_LIMIT:
        identifier = new_id().replace("-", "")
    pairs = [(REQUEST_ID, identifier)]
    pairs += [(key, incoming[key]) for key in PASSED_ON if key != REQUEST_ID and key in incoming]
    _passed.set(tuple(pairs))


@contextmanager
def passing_on(pairs: Mapping[str, str]) -> Iterator[None]:
    """Run the block with these pairs on every call below it; meant for the edge of the mesh and for jobs."""
    token = _passed.set(tuple(pairs.items()))
    try:
        yield
    finally:
        _passed.reset(token)
