"""Calls services over gRPC with requests and responses as bytes in wire format; no message object is ever made.

``Upstream`` is all that the rest of the gateway knows of it; ``GrpcUpstream`` is that Protocol over a gRPC channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from mesh.client import Client
from mesh.errors import from_rpc

Metadata = Sequence[tuple[str, str]]


class Call(NamedTuple):
    """One call. ``path`` is "/package.Service/Method"; ``timeout`` is in seconds, None for no deadline."""

    path: str
    request: bytes
    metadata: Metadata
    timeout: float | None


class MessageStream(Protocol):
    """The responses of one streaming call under way."""

    async def read(self) -> Sequence[bytes]:
        """Wait for at least one more message and return all that are there; empty at the end.

        Raises:
            MeshError: the call failed.
        """

    def cancel(self) -> None:
        """End the call now; a no-op once it has ended."""


class Upstream(Protocol):
    """A service that can be called. Cancelling the task that waits for an answer cancels the call."""

    async def unary(self, call: Call) -> bytes:
        """Return the response.

        Raises:
            MeshError: the call failed.
        """

    def stream(self, call: Call) -> MessageStream:
        """Start a streaming call."""


class GrpcStream:
    """A streaming call of grpc.aio."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[bytes, bytes]) -> None:
        self._call = call
        self._messages = aiter(call)

    async def read(self) -> Sequence[bytes]:
        """Return the next message; the runtime hands them over one by one."""
        try:
            return (await anext(self._messages),)
        except StopAsyncIteration:
            return ()
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    def cancel(self) -> None:
        """End the call now."""
        self._call.cancel()


class GrpcUpstream:
    """One service behind a gRPC channel, which the caller owns and closes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._unary: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._stream: dict[str, grpc.aio.UnaryStreamMultiCallable[bytes, bytes]] = {}

    async def unary(self, call: Call) -> bytes:
        """Return the response of a unary call."""
        method = self._unary.get(call.path)
        if method is None:
            method = self._unary[call.path] = self._channel.unary_unary(call.path)
        try:
            return await method(call.request, timeout=call.timeout, metadata=_pairs(call.metadata))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    def stream(self, call: Call) -> GrpcStream:
        """Start a call that streams responses."""
        method = self._stream.get(call.path)
        if method is None:
            method = self._stream[call.path] = self._channel.unary_stream(call.path)
        return GrpcStream(method(call.request, timeout=call.timeout, metadata=_pairs(call.metadata)))


class GrpcUpstreams:
    """The services of a deployment over the mesh's client, one channel for each address."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def at(self, address: str) -> GrpcUpstream:
        """Return the service at an address; it connects with its first call."""
        return GrpcUpstream(self._client.channel(address))

    def state(self, address: str) -> str:
        """Return the state of the connection in a word, "ready" say, and connect if there is none yet."""
        return self._client.channel(address).get_state(try_to_connect=True).name.lower()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()


def _pairs(metadata: Metadata) -> Any:
    # a tuple of pairs is what the runtime wants in the end; its stubs name only its own class
    return tuple(metadata)
