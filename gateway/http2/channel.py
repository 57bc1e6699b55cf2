"""Connections to all addresses of a service, used in turns. Has the face of the gRPC runtime's channel.

Names are resolved anew every ``_RESOLVE_S`` seconds and when no connection is left, so that calls spread over the
replicas behind a headless Service as they come and go.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import grpc

from gateway.http2.call import Http2Call, Metadata
from gateway.http2.connection import Connection
from gateway.http2.deadlines import Deadlines

_RESOLVE_S = 30.0
_CONNECT_S = 10.0

Address = tuple[Any, ...]


class Http2Channel:
    """A channel to ``host:port`` in plain text that takes messages of at most ``largest`` bytes."""

    def __init__(self, address: str, largest: int) -> None:
        self._address = address
        self.largest = largest
        self._connections: list[tuple[Address, Connection]] = []
        self._turn = 0
        self._resolved = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False
        # asking for the running loop is a system call
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines(self.loop)

    def unary_unary(self, method: str) -> Callable[..., Http2Call]:
        """Return what starts calls of a method."""

        def start(request: bytes, *, timeout: float | None, metadata: Metadata) -> Http2Call:
            return Http2Call(self, method, request, metadata, timeout)

        return start

    unary_stream = unary_unary

    def begin(self, call: Http2Call) -> bool:
        """Put a call on the next connection that takes it; return False if there is none."""
        connection = self._pick()
        if connection is None:
            return False
        if time.monotonic() - self._resolved > _RESOLVE_S:
            self.connect()
        connection.begin(call)
        return True

    @property
    def reached(self) -> bool:
        """Whether there is a connection that takes calls, or took them until they were as many as it takes."""
        return any(connection.open for _, connection in self._connections)

    def connect(self) -> asyncio.Task[None]:
        """Return the attempt under way to reach every address, or a new one; it does not fail."""
        if self._connecting is None or self._connecting.done():
            self._connecting = self.loop.create_task(self._reach_all())
        return self._connecting

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the connection, and connect if asked to."""
        if self._pick() is not None:
            return grpc.ChannelConnectivity.READY
        if try_to_connect and not self._closed:
            self.connect()
        if self._connecting is not None and not self._connecting.done():
            return grpc.ChannelConnectivity.CONNECTING
        return grpc.ChannelConnectivity.TRANSIENT_FAILURE if self._resolved else grpc.ChannelConnectivity.IDLE

    async def close(self, grace: float | None = None) -> None:
        """Close every connection; calls under way fail."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        for _, connection in self._connections:
            connection.close()
        self._connections.clear()

    def _pick(self) -> Connection | None:
        known = self._connections
        for _ in known:
            self._turn = turn = (self._turn + 1) % len(known)
            connection = known[turn][1]
            if connection.usable:
                return connection
        return None

    async def _reach_all(self) -> None:
        self._resolved = time.monotonic()
        host, _, port = self._address.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        except OSError:
            return
        addresses = list(dict.fromkeys(entry[4] for entry in found))
        for address, connection in self._connections:
            if address not in addresses:
                connection.retire()
        self._connections = [entry for entry in self._connections if entry[1].open]
        # one that has all the calls it takes gets company
        served = {address for address, connection in self._connections if connection.usable}
        await asyncio.gather(*(self._reach(address) for address in addresses if address not in served))

    async def _reach(self, address: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, connection = await loop.create_connection(lambda: Connection(self._address), address[0], address[1])
                await connection.ready
        except OSError:
            # TimeoutError is one as well; the next attempt may do better
            return
        self._connections.append((address, connection))
