"""How many requests may be inside the service at once, in all and for each tenant.

A request that finds no room is refused at once: a queue that grows without bound only hides the overload. Items of a
batch wait for room instead, because the batch itself was admitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mesh.errors import Overloaded, QuotaExceeded


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """``requests`` in all, ``per_tenant`` for each; ``retry_after_s`` is what a refused caller is told to wait."""

    requests: int = 512
    per_tenant: int = 512
    retry_after_s: float = 1.0


class Admission:
    """Counts the requests inside."""

    def __init__(self, limits: AdmissionLimits) -> None:
        """Start with nobody inside."""
        self._limits = limits
        self._inside: Counter[str] = Counter()
        self._total = 0

    @property
    def inside(self) -> int:
        """The number of requests inside."""
        return self._total

    @contextmanager
    def enter(self, tenant: str) -> Iterator[None]:
        """Hold one place for as long as the block runs.

        Raises:
            Overloaded: the service is full.
            QuotaExceeded: the tenant has all the places that one may have.
        """
        if self._total >= self._limits.requests:
            raise Overloaded(
                f"{self._total} requests are inside and no more are taken", retry_after_s=self._limits.retry_after_s
            )
        if self._inside[tenant] >= self._limits.per_tenant:
            raise QuotaExceeded(f"concurrent requests of tenant {tenant}", retry_after_s=self._limits.retry_after_s)
        self._inside[tenant] += 1
        self._total += 1
        try:
            yield
        finally:
            self._total -= 1
            self._inside[tenant] -= 1
            if not self._inside[tenant]:
                del self._inside[tenant]
