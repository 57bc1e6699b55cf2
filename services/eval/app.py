"""Puts the evaluation service together; the only module that names concrete classes."""

from __future__ import annotations

import time

from llamastack.observability.v1.observability_service_pb2_grpc import add_ObservabilityServiceServicer_to_server
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.eval.config import EvalConfig
from services.eval.observability.artifacts import Artifacts
from services.eval.observability.experiments import Experiments
from services.eval.observability.export import Export, Records, Trackers
from services.eval.observability.files import Files
from services.eval.observability.journal import Journal
from services.eval.observability.measurements import Measurements
from services.eval.observability.servicer import ObservabilityServicer, Record
from services.eval.observability.spans import Spans
from services.eval.observability.tables import MIGRATIONS as OBSERVABILITY


class App:
    """The service: its database and its server."""

    def __init__(self, config: EvalConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self._record = _record(config, self._storage)
        self.server = Server(
            config.server,
            [Registration(add_ObservabilityServiceServicer_to_server, ObservabilityServicer(self._record))],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, [OBSERVABILITY])

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _record(config: EvalConfig, storage: Storage) -> Record:
    """Return what is reported, by the database and the store of artifacts."""
    experiments, measurements = Experiments(storage, time.time), Measurements(storage)
    files = Files(config.artifact_store(), config.artifacts.places)
    artifacts = Artifacts(storage, files, config.artifacts.max_bytes, time.time)
    trackers = Trackers(config.mlflow.uri, config.mlflow.hosts, config.mlflow.timeout_s)
    return Record(
        experiments=experiments,
        measurements=measurements,
        artifacts=artifacts,
        journal=Journal(storage),
        spans=Spans(storage),
        export=Export(Records(experiments, measurements, artifacts), trackers),
    )


def _companions(config: EvalConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("eval")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
