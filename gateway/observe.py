"""Watches exchanges from the side."""

from __future__ import annotations

from gateway.exchange import Exchange


class Silent:
    """Observes nothing."""

    def begin(self, exchange: Exchange) -> None:
        """Do nothing."""

    def finish(self, exchange: Exchange) -> None:
        """Do nothing."""
