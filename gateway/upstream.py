"""Calls services over gRPC with requests and responses as bytes in wire format; no message object is ever made.

``Upstream`` is all that the rest of the gateway knows of it; ``GrpcUpstream`` is that Protocol over a gRPC channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import grpc
import grpc.aio

from mesh.client import Client
from mesh.errors import from_rpc

Metadata = Sequence[tuple[str, str]]
# path ("/package.Service/Method"), request, metadata, timeout in seconds, which is None for no deadline
Call = tuple[str, bytes, Metadata, float | None]


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
        path, request, metadata, timeout = call
        method = self._unary.get(path)
        if method is None:
            method = self._unary[path] = self._channel.unary_unary(path)
        try:
            return await method(request, timeout=timeout, metadata=_pairs(metadata))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    def stream(self, call: Call) -> GrpcStream:
        """Start a call that streams responses."""
        path, request, metadata, timeout = call
        method = self._stream.get(path)
        if method is None:
            method = self._stream[path] = self._channel.unary_stream(path)
        return GrpcStream(method(request, timeout=timeout, metadata=_pairs(metadata)))


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
