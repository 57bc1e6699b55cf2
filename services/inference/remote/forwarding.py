"""Forwards the RPCs of one service to the replicas of one model over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, Protocol, Self, TypeVar
from weakref import WeakKeyDictionary

import grpc.aio

from mesh.errors import BackendUnavailable, Cancelled, MeshError, from_rpc
from services.inference.remote.pool import Pool, Replica


class Request(Protocol):
    """A request that names a model."""

    model: str

    def CopyFrom(self, other: Self) -> None:
        """Take over everything of another request."""


Stub = TypeVar("Stub")
RequestT = TypeVar("RequestT", bound=Request)
Answer = TypeVar("Answer")


class Forwarder(Generic[Stub]):
    """One service of the workers.

    Args:
        pool: the replicas.
        make_stub: makes the service's stub for a replica, once for each.
        name: what the workers call the model.
    """

    def __init__(self, pool: Pool, make_stub: Callable[[Replica], Stub], name: str) -> None:
        self._pool = pool
        self._make_stub = make_stub
        self._stubs: WeakKeyDictionary[Replica, Stub] = WeakKeyDictionary()
        self._name = name

    async def ask(
        self,
        rpc: Callable[[Stub], grpc.aio.UnaryUnaryMultiCallable[RequestT, Answer]],
        request: RequestT,
        key: bytes | None = None,
    ) -> Answer:
        """Return a worker's answer; the one that ``key`` is with if there is a key."""
        wanted = self._renamed(request)

        async def one(replica: Replica) -> Answer:
            try:
                return await rpc(self._stub(replica))(wanted)
            except grpc.aio.AioRpcError as error:
                raise restored(error) from error

        return await self._pool.answer(key, one)

    def stream(
        self,
        rpc: Callable[[Stub], grpc.aio.UnaryStreamMultiCallable[RequestT, Answer]],
        request: RequestT,
        key: bytes | None = None,
        heralds: Callable[[Answer], bool] = lambda message: False,
    ) -> AsyncGenerator[Answer]:
        """Yield what a worker streams; closing the iterator cancels the call.

        A message that ``heralds`` the answer without being a part of it goes with the next one, so that the request
        may still be sent elsewhere.
        """
        wanted = self._renamed(request)

        async def one(replica: Replica) -> AsyncGenerator[Answer]:
            call: Any = rpc(self._stub(replica))(wanted)
            held: list[Answer] = []
            try:
                async for message in call:
                    held.append(message)
                    if not heralds(message):
                        for ready in held:
                            yield ready
                        held.clear()
                for ready in held:
                    yield ready
            except grpc.aio.AioRpcError as error:
                raise restored(error) from error
            finally:
                call.cancel()

        return self._pool.stream(key, one)

    def _stub(self, replica: Replica) -> Stub:
        stub = self._stubs.get(replica)
        if stub is None:
            stub = self._stubs[replica] = self._make_stub(replica)
        return stub

    def _renamed(self, request: RequestT) -> RequestT:
        """Return the request with the name that the workers have for the model."""
        if request.model == self._name:
            return request
        made = type(request)()
        made.CopyFrom(request)
        made.model = self._name
        return made


def restored(error: grpc.aio.AioRpcError) -> MeshError:
    """Return what a worker raised; one that cancels a call of ours by itself is going away."""
    raised = from_rpc(error)
    return BackendUnavailable("the worker went away") if isinstance(raised, Cancelled) else raised
