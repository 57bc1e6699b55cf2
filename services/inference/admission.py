"""How many requests may be inside at once, in all and for each tenant, and how many tokens a tenant may use.

A request that finds no room is refused at once: a queue that grows without bound only hides the overload. Items of a
batch wait for room instead, because the batch itself was admitted. Tokens are known afterwards: who has used more than
its share of a minute waits until that is made up.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message

from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import Overloaded, QuotaExceeded
from mesh.rates import Rate

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """``requests`` in all, ``per_tenant`` for each; ``retry_after_s`` is what a refused caller is told to wait.

    ``tokens_per_minute`` of prompts and answers for each tenant; None for no limit.
    """

    requests: int = 512
    per_tenant: int = 512
    retry_after_s: float = 1.0
    tokens_per_minute: int | None = None


class Visit:
    """One request inside, with the tokens that it has used so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self._pieces = 0
        self._told = 0

    @property
    def tokens(self) -> int:
        """The tokens by what the answers told, or as many as there were pieces of a stream that broke off."""
        return self._told or self._pieces

    def counted(self, answer: Answer) -> Answer:
        """Return an answer, or a piece of one, after noting its usage."""
        self._pieces += 1
        self._told += tokens_of(answer)
        return answer


def tokens_of(answer: Message) -> int:
    """Return the tokens of prompt and answer that a message tells of; 0 if it tells nothing."""
    if isinstance(answer, pb.BatchProgress):
        answer = answer.response
    if "usage" not in answer.DESCRIPTOR.fields_by_name or not answer.HasField("usage"):
        return 0
    usage: Any = answer.usage  # type: ignore[attr-defined]  # it has the field
    return int(usage.prompt_tokens + getattr(usage, "completion_tokens", 0))


class Admission:
    """Counts the requests inside."""

    def __init__(self, limits: AdmissionLimits, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nobody inside."""
        self._limits = limits
        self._tokens = Rate(limits.tokens_per_minute, clock) if limits.tokens_per_minute is not None else None
        self._inside: Counter[str] = Counter()
        self._total = 0

    @property
    def inside(self) -> int:
        """The number of requests inside."""
        return self._total

    @contextmanager
    def enter(self, tenant: str) -> Iterator[Visit]:
        """Hold one place for as long as the block runs, and take the tokens that it has used by then.

        Raises:
            Overloaded: the service is full.
            QuotaExceeded: the tenant has all the places that one may have, or has used the tokens of its minute.
        """
        if self._total >= self._limits.requests:
            raise Overloaded(
                f"{self._total} requests are inside and no more are taken", retry_after_s=self._limits.retry_after_s
            )
        if self._inside[tenant] >= self._limits.per_tenant:
            raise QuotaExceeded(f"concurrent requests of tenant {tenant}", retry_after_s=self._limits.retry_after_s)
        if self._tokens is not None and (wait := self._tokens.wait(tenant)):
            raise QuotaExceeded(f"tenant:{tenant} tokens per minute", retry_after_s=wait)
        self._inside[tenant] += 1
        self._total += 1
        visit = Visit()
        try:
            yield visit
        finally:
            if self._tokens is not None:
                self._tokens.take(tenant, visit.tokens)
            self._total -= 1
            self._inside[tenant] -= 1
            if not self._inside[tenant]:
                del self._inside[tenant]
