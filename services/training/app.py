"""Puts the training service together; the only module that names concrete classes."""

from __future__ import annotations

import time
from pathlib import Path

from llamastack.datasets.v1.datasets_service_pb2_grpc import add_DatasetsServiceServicer_to_server
from mesh.addresses import AddressGuard
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import SQLITE, Storage
from mesh.telemetry.process import ProcessTelemetry
from services.training.config import TrainingConfig
from services.training.datasets.catalog import Catalog
from services.training.datasets.collection import Collection
from services.training.datasets.config import DatasetConfig
from services.training.datasets.files import Files
from services.training.datasets.folders import Folders
from services.training.datasets.hub import Hub
from services.training.datasets.intake import Intake, IntakeLimits
from services.training.datasets.library import Library, Parts
from services.training.datasets.objects import Objects
from services.training.datasets.servicer import DatasetsServicer
from services.training.datasets.sessions import AgentSessions
from services.training.datasets.sources import Sources
from services.training.datasets.tables import MIGRATIONS as DATASETS
from services.training.datasets.traces import LoggedCalls
from services.training.datasets.web import Web


class App:
    """The service: its database and its server."""

    def __init__(self, config: TrainingConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        catalog = Catalog(self._storage, time.time)
        self._library = _library(config, catalog)
        collection = _collection(config, self._library, self._client)
        self.server = Server(
            config.server,
            [
                Registration(
                    add_DatasetsServiceServicer_to_server, DatasetsServicer(self._library, catalog, collection)
                ),
            ],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, [DATASETS])
        await self._library.tidy(alone=self._storage.kind == SQLITE)

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _library(config: TrainingConfig, catalog: Catalog) -> Library:
    """Return the datasets."""
    settings = config.datasets
    folder = (config.data / "datasets").absolute()
    files = Files(settings.store_url or folder.as_uri(), config.data / "copies")
    limits = IntakeLimits(
        settings.max_dataset_bytes, settings.max_row_bytes, settings.read_memory_mib, settings.reads_at_once
    )
    parts = Parts(catalog, files, Intake(limits), _sources(settings))
    return Library(parts, config.data / "staging", time.time)


def _sources(settings: DatasetConfig) -> Sources:
    """Return where datasets may come from."""
    web = Web(AddressGuard(frozenset(settings.private_hosts)), settings.fetch_timeout_s)
    objects = Objects(settings.own_prefixes, settings.s3_endpoint)
    hub = Hub(settings.hub_endpoint, settings.hub_token, settings.own_prefixes)
    folders = Folders(tuple(map(Path, settings.file_roots)))
    return Sources({"file": folders, "http": web, "https": web, "s3": objects, "gs": objects, "hf": hub})


def _collection(config: TrainingConfig, library: Library, client: Client) -> Collection:
    """Return what makes datasets out of usage."""
    sessions = AgentSessions(client.channel(config.peers.agents))
    traces = LoggedCalls(client.channel(config.peers.eval))
    return Collection(library, sessions, traces, config.data / "staging", time.time)


def _companions(config: TrainingConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("training")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
