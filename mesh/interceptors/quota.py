"""What each tenant may take of a server: calls per minute, and calls at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mesh.config import setting
from mesh.errors import QuotaExceeded
from mesh.identity import current
from mesh.methods import Method
from mesh.pipeline import Call, Proceed
from mesh.rates import Rate

_RETRY_S = 1.0


@dataclass(frozen=True)
class QuotaConfig:
    """Limits of each tenant at a service; without them there are none.

    Processes count by themselves, so each of several lets through its part: all together let through what is set, or
    less where calls go to few of them.
    """

    requests_per_minute: int | None = setting(
        "QUOTA_REQUESTS_PER_MINUTE", None, "Calls of a tenant per minute; empty for no limit."
    )
    concurrency: int | None = setting("QUOTA_CONCURRENCY", None, "Calls of a tenant at once; empty for no limit.")

    replicas: int = setting(
        "QUOTA_REPLICAS", 1, "Processes of the service among which a tenant's limits are divided, tokens too."
    )

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing in."""
        if self.replicas < 1:
            raise ValueError("QUOTA_REPLICAS: at least 1 is needed")
        if any(limit is not None and limit < 1 for limit in (self.requests_per_minute, self.concurrency)):
            raise ValueError("QUOTA_REQUESTS_PER_MINUTE and QUOTA_CONCURRENCY: at least 1 is needed")

    def share(self, limit: int | None) -> int | None:
        """Return this process's part of a limit, rounded up; None for no limit."""
        return None if limit is None else -(-limit // self.replicas)


class Quota:
    """Refuses what is beyond a tenant's share with RESOURCE_EXHAUSTED, QuotaFailure and RetryInfo.

    Runs where the identity is known; health and reflection neither count nor are refused. A stream is one call for as
    long as it lasts. A refused call takes nothing from the share.
    """

    def __init__(self, config: QuotaConfig, clock: Callable[[], float] = time.monotonic) -> None:
        per_minute = config.share(config.requests_per_minute)
        self._rate = None if per_minute is None else Rate(per_minute, clock)
        self._most = config.share(config.concurrency)
        self._inside: Counter[str] = Counter()

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` behind the limits, or as it is if there are none."""
        if method.infrastructure or (self._rate is None and self._most is None):
            return proceed

        async def counted(call: Call) -> Any:
            with self._place(current().tenant):
                return await proceed(call)

        return counted

    @contextmanager
    def _place(self, tenant: str) -> Iterator[None]:
        """Count a call of the tenant for as long as the block runs.

        Raises:
            QuotaExceeded: the tenant has taken all that it may.
        """
        if self._most is not None and self._inside[tenant] >= self._most:
            raise QuotaExceeded(f"tenant:{tenant} calls at once", retry_after_s=_RETRY_S)
        if self._rate is not None:
            if wait := self._rate.wait(tenant):
                raise QuotaExceeded(f"tenant:{tenant} calls per minute", retry_after_s=wait)
            self._rate.take(tenant)
        self._inside[tenant] += 1
        try:
            yield
        finally:
            self._inside[tenant] -= 1
            if not self._inside[tenant]:
                del self._inside[tenant]
