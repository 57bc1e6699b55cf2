"""The replicas of one model: which of them a request goes to, and where it goes when that one is dead.

Requests without a key go to the replica with the fewest requests. Those with one key go to the same replica, for its
prefix cache, as long as that is not much busier than the others: rendezvous hashing (Thaler and Ravishankar 1998) with
bounded loads (Mirrokni, Thorup and Zadimoghaddam 2016). Knows neither gRPC nor HTTP; who talks to the replicas says how
they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import TypeVar

from mesh.errors import BackendUnavailable, Overloaded

ATTEMPTS = 3
"""Replicas that one request is offered to."""
BALANCE = 1.25
"""How many times the average load a replica may have before the requests of its keys go elsewhere."""
EASY_LOAD = 8
"""Requests that any replica takes for its keys, however idle the others are: an engine batches that many for little."""

Answer = TypeVar("Answer")
Refusal = BackendUnavailable | Overloaded


@dataclass(slots=True, eq=False, weakref_slot=True)
class Replica:
    """One place that serves the model; ``active`` counts the requests that this process has there.

    ``name`` is the registered address that led to it, if that is another one. A replica that is ``leaving`` finishes
    what it has, and gets more only while no other serves.
    """

    address: str
    name: str = ""
    serving: bool = False
    leaving: bool = False
    active: int = 0

    @property
    def open(self) -> bool:
        """Whether it is one to send requests to."""
        return self.serving and not self.leaving

    @contextmanager
    def held(self) -> Iterator[None]:
        """Count one request for as long as the block runs."""
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1


class Pool:
    """The replicas of one model; ``replicas`` may change from one request to the next.

    Args:
        model_id: the model, for messages.
        addresses: where the first replicas are. None of them serves until somebody says so.
        rest_s: seconds for which a replica that failed gets no requests while others serve; for replicas that nobody
            watches.
    """

    def __init__(self, model_id: str, addresses: Sequence[str] = (), rest_s: float = 0.0) -> None:
        self.replicas = [Replica(address) for address in addresses]
        self._model_id = model_id
        self._rest_s = rest_s
        self._turn = 0

    @property
    def active(self) -> int:
        """The number of requests at all replicas."""
        return sum(replica.active for replica in self.replicas)

    def check(self) -> None:
        """Return when one replica serves at least.

        Raises:
            BackendUnavailable: none does.
        """
        if not any(replica.serving for replica in self.replicas):
            raise self._nobody()

    def choose(self, key: bytes | None, tried: Sequence[Replica] = ()) -> Replica | None:
        """Return the replica for the next request, None if no other than those that were tried serves."""
        serving = [replica for replica in self.replicas if replica.serving and replica not in tried]
        open_ones = [replica for replica in serving if replica.open] or serving
        if not open_ones:
            return None
        if key is not None:
            limit = max(EASY_LOAD, ceil(BALANCE * (sum(one.active for one in open_ones) + 1) / len(open_ones)))
            return max((one for one in open_ones if one.active < limit), key=lambda one: _rank(key, one.address))
        self._turn += 1
        count = len(open_ones)
        order = [open_ones[(self._turn + step) % count] for step in range(count)]
        return min(order, key=lambda replica: replica.active)

    async def answer(self, key: bytes | None, ask: Callable[[Replica], Awaitable[Answer]]) -> Answer:
        """Return the answer of the first replica that gives one.

        Raises:
            BackendUnavailable, Overloaded: what the last replica said that was asked, or that none serves.
        """
        refusal: Refusal | None = None
        for replica in self._offers(key):
            try:
                with replica.held():
                    return await ask(replica)
            except (BackendUnavailable, Overloaded) as error:
                self._failed(replica)
                refusal = error
        raise refusal or self._nobody()

    async def stream(
        self, key: bytes | None, ask: Callable[[Replica], AsyncGenerator[Answer]]
    ) -> AsyncGenerator[Answer]:
        """Yield the messages of the first replica that sends any; what fails after its first message is not repeated.

        Raises:
            BackendUnavailable, Overloaded: as in :meth:`answer`, or the replica died in mid-stream.
        """
        refusal: Refusal | None = None
        for replica in self._offers(key):
            begun = False
            try:
                with replica.held():
                    async with aclosing(ask(replica)) as messages:
                        async for message in messages:
                            begun = True
                            yield message
                return
            except (BackendUnavailable, Overloaded) as error:
                self._failed(replica)
                if begun:
                    raise
                refusal = error
        raise refusal or self._nobody()

    def _offers(self, key: bytes | None) -> Iterator[Replica]:
        """Yield replicas, each chosen when it is wanted, none twice."""
        tried: list[Replica] = []
        while len(tried) < ATTEMPTS and (replica := self.choose(key, tried)) is not None:
            tried.append(replica)
            yield replica

    def _failed(self, replica: Replica) -> None:
        """Let a replica rest, but never the last one."""
        if self._rest_s and any(other.open for other in self.replicas if other is not replica):
            replica.serving = False
            asyncio.get_running_loop().call_later(self._rest_s, self._rested, replica)

    def _rested(self, replica: Replica) -> None:
        replica.serving = True

    def _nobody(self) -> BackendUnavailable:
        return BackendUnavailable(f"no replica of model {self._model_id} can be reached")


def _rank(key: bytes, address: str) -> bytes:
    return blake2b(key + b"\0" + address.encode(), digest_size=8).digest()
