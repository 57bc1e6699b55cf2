"""Puts the training service together; the only module that names concrete classes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from llamastack.datasets.v1.datasets_service_pb2_grpc import add_DatasetsServiceServicer_to_server
from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
    add_SyntheticDataGenerationServiceServicer_to_server,
)
from mesh.addresses import AddressGuard
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.ids import new_id
from mesh.jobs.store import MIGRATIONS as JOBS
from mesh.jobs.store import JobStore, Lease
from mesh.jobs.worker import Worker, WorkerConfig
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
from services.training.post_training.app import PostTraining
from services.training.post_training.tables import MIGRATIONS as POST_TRAINING
from services.training.synthetic.generation import Generation
from services.training.synthetic.jobs import KIND, Handler
from services.training.synthetic.journal import Journal
from services.training.synthetic.reporting import Runs
from services.training.synthetic.sampling import Sampler
from services.training.synthetic.scoring import Scorer
from services.training.synthetic.servicer import SyntheticDataGenerationServicer
from services.training.synthetic.submission import Desk, Submission
from services.training.synthetic.tables import MIGRATIONS as SYNTHETIC

TABLES: Final = (
    JOBS,
    DATASETS,
    SYNTHETIC,
    POST_TRAINING,
)
"""The migrations of the service, in their order."""


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
        generation = _generation(config, self._client)
        self._generating, self._submission = _jobs(config, self._storage, self._library, generation, self._client)
        self._tidying: asyncio.Task[None] | None = None
        self._training = PostTraining(config, self._storage, self._client, self._library)
        self.server = Server(
            config.server,
            [
                Registration(
                    add_DatasetsServiceServicer_to_server, DatasetsServicer(self._library, catalog, collection)
                ),
                Registration(
                    add_SyntheticDataGenerationServiceServicer_to_server,
                    SyntheticDataGenerationServicer(generation, self._submission, config.synthetic.at_once),
                ),
                self._training.registration,
            ],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
                innermost=telemetry.semantics,
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, TABLES)
        await self._library.tidy(alone=self._storage.kind == SQLITE)
        self._tidying = asyncio.create_task(self._submission.keep_tidy())
        self._generating.start()
        await self._training.begin(alone=self._storage.kind == SQLITE)

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._training.stop()
        await self._generating.stop()
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _library(config: TrainingConfig, catalog: Catalog) -> Library:
    """Return the datasets."""
    settings = config.datasets
    folder = (config.data / "datasets").absolute()
    files = Files(settings.store_url or folder.as_uri(), config.data / "copies", settings.s3_endpoint)
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


def _generation(config: TrainingConfig, client: Client) -> Generation:
    """Return what answers prompts."""
    settings = config.synthetic
    sampler = Sampler(client.channel(config.peers.inference), settings.batch)
    scorer = Scorer(client.channel(config.peers.eval), settings.reward_model)
    return Generation(sampler, scorer, settings.model)


def _jobs(
    config: TrainingConfig, storage: Storage, library: Library, generation: Generation, client: Client
) -> tuple[Worker, Submission]:
    """Return what runs generation jobs, and what takes them."""
    settings = config.synthetic
    journal = Journal(storage, time.time)
    store = JobStore(storage, KIND, Lease(settings.lease_s, settings.attempts))
    runs = Runs(client.channel(config.peers.eval))
    handler = Handler(library, generation, journal, runs)
    worker = Worker(
        store,
        {KIND: handler},
        WorkerConfig(new_id(), concurrency=settings.jobs_at_once, renew_s=min(settings.lease_s / 4, 3.0)),
    )
    return worker, Submission(Desk(store, worker, journal, library, generation, runs))


def _companions(config: TrainingConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("training")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
