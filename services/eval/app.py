"""Puts the evaluation service together; the only module that names concrete classes."""

from __future__ import annotations

from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.eval.config import EvalConfig


class App:
    """The service: its database and its server."""

    def __init__(self, config: EvalConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self.server = Server(
            config.server,
            [],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, [])

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _companions(config: EvalConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("eval")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
