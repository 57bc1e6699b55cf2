"""Puts the training service together; the only module that names concrete classes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.ids import new_id
from mesh.jobs.store import JobStore, Lease
from mesh.jobs.worker import Worker, WorkerConfig
from mesh.migrations import migrate
from mesh.server import Attachments, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.training.cluster.local_head import LocalHead
from services.training.cluster.ray_cluster import LocalPlace, RayCluster, RemotePlace
from services.training.config import TrainingConfig
from services.training.post_training.assembly import PostTraining
from services.training.post_training.bases import Bases, ServedModels
from services.training.post_training.jobs import Jobs
from services.training.post_training.places import Places
from services.training.post_training.registry import Evaluations, InferenceServing, Registry
from services.training.post_training.reporting import Observability
from services.training.post_training.servicer import PostTrainingServicer
from services.training.post_training.submission import JOB_KINDS, Parts, Submission
from services.training.post_training.supervision import Released, Supervision
from services.training.revisions import Revisions

QUEUE: Final = "training"
LEASE: Final = Lease(seconds=15.0, attempts=10)
"""Short, because the cluster goes on with a job while nobody owns it: it is found again soon."""
RENEW_S: Final = 2.0
"""Seconds between two looks at whether a job is to be cancelled."""


class App:
    """The service: its database and its server."""

    def __init__(self, config: TrainingConfig, telemetry: ProcessTelemetry) -> None:
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


def post_training(config: TrainingConfig, storage: Storage, client: Client, revisions: Revisions) -> PostTraining:
    """Return the training of models on the rows of datasets."""
    settings, inference, evaluation = config.post_training, config.peers.inference, config.peers.eval
    store = JobStore(storage, QUEUE, LEASE)
    places = Places(config.data / "jobs")
    cluster = _cluster(config)
    reporter = Observability(client.channel(evaluation), places)
    supervision = Supervision(store, cluster, places, reporter, settings.losses)
    handler = Released(supervision.handle, revisions).handle
    pace = WorkerConfig(f"training-{new_id()}", settings.jobs, renew_s=RENEW_S)
    worker = Worker(store, dict.fromkeys(JOB_KINDS, handler), pace)
    bases = Bases(ServedModels(client.channel(inference)), places, tuple(map(Path, settings.model_roots)))
    submission = Submission(Parts(store, bases, revisions, cluster, places), settings.max_waiting)
    jobs = Jobs(store, places, supervision, worker.wake)
    registry = Registry(storage, places, InferenceServing(client.channel(inference)), time.time)
    judged = Evaluations(client.channel(evaluation))
    return PostTraining(
        PostTrainingServicer(submission, jobs, registry, judged, places, worker.wake), worker, jobs, cluster
    )


def _cluster(config: TrainingConfig) -> RayCluster:
    settings = config.post_training
    if settings.ray_address:
        return RayCluster(RemotePlace(settings.ray_address, settings.ray_token))
    return RayCluster(LocalPlace(LocalHead(config.data / "ray", settings.cpus, settings.ray_idle_s), settings.cpus))


def _companions(config: TrainingConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("training")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
