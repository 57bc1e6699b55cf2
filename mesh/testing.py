"""Real services on real connections inside a test.

::

    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        response = await mesh.stub(InferenceServiceStub).Completion(request)

Servers have every interceptor and listen on loopback with a port of the system's choice; nothing outlives the block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc.aio

from mesh.client import Client, ClientConfig
from mesh.server import AddToServer, Attachments, Registration, Server, ServerConfig

Stub = TypeVar("Stub")


@dataclass(frozen=True)
class Mesh:
    """A running server and a client of it."""

    server: Server
    client: Client

    @property
    def address(self) -> str:
        """The server's address, for clients of one's own."""
        return self.server.address

    @property
    def channel(self) -> grpc.aio.Channel:
        """The client's channel to the server."""
        return self.client.channel(self.address)

    def stub(self, make: Callable[[grpc.aio.Channel], Stub]) -> Stub:
        """Return a generated stub on the channel."""
        return make(self.channel)


@asynccontextmanager
async def mesh_of(
    services: Mapping[AddToServer, Any],
    *,
    config: ServerConfig | None = None,
    attachments: Attachments | None = None,
    client: Client | None = None,
) -> AsyncIterator[Mesh]:
    """Serve servicers, by the generated functions that add them, for the time of the block.

    Args:
        services: the servicers.
        config: the server's configuration; the default binds to loopback and does not wait for calls at the end.
        attachments: dependencies, authenticator, telemetry of the server.
        client: the client to call with; it is closed at the end as well.
    """
    registrations = [Registration(add, servicer) for add, servicer in services.items()]
    server = Server(config or ServerConfig(drain_grace_s=0.0), registrations, attachments)
    await server.start()
    try:
        async with client or Client(ClientConfig()) as made:
            yield Mesh(server, made)
    finally:
        await server.stop()
