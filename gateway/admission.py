"""Decides whether a request may begin, and ends what is under way when the gateway shuts down."""

from __future__ import annotations

from gateway.exchange import Exchange
from mesh.errors import BackendUnavailable, Overloaded

_RETRY_S = 1.0


class Admission:
    """The exchanges under way, at most ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._active: set[Exchange] = set()
        self._draining = False

    @property
    def active(self) -> int:
        """The number of exchanges under way."""
        return len(self._active)

    @property
    def draining(self) -> bool:
        """Whether the gateway is about to stop: it still serves, but asks clients to go elsewhere."""
        return self._draining

    def enter(self, exchange: Exchange) -> None:
        """Count an exchange in.

        Raises:
            Overloaded: there are as many as may be.
        """
        if len(self._active) >= self._limit:
            raise Overloaded("the gateway has all the requests it takes", retry_after_s=_RETRY_S)
        self._active.add(exchange)

    def leave(self, exchange: Exchange) -> None:
        """Count an exchange out; a no-op for one that was not let in."""
        self._active.discard(exchange)

    def begin_draining(self) -> None:
        """Ask clients, from now on, to close their connections after each response."""
        self._draining = True

    def abort_all(self) -> None:
        """End every exchange with UNAVAILABLE; streams get it as their last event."""
        for exchange in list(self._active):
            exchange.abort(BackendUnavailable("the gateway is shutting down", retry_after_s=_RETRY_S))
