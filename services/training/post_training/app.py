"""Puts post-training together; the only module of this folder that names concrete classes."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from llamastack.post_training.v1.post_training_service_pb2_grpc import add_PostTrainingServiceServicer_to_server
from mesh.client import Client
from mesh.errors import MeshError
from mesh.ids import new_id
from mesh.jobs.store import JobStore, Lease
from mesh.jobs.worker import Worker, WorkerConfig
from mesh.server import Registration
from mesh.storage import Storage
from services.training.cluster.local_head import LocalHead
from services.training.cluster.ray_cluster import LocalPlace, RayCluster, RemotePlace
from services.training.post_training import supervision
from services.training.post_training.bases import Bases, ServedModels
from services.training.post_training.holdings import Holdings
from services.training.post_training.jobs import Jobs
from services.training.post_training.places import Places
from services.training.post_training.registry import Evaluations, InferenceServing, Registry
from services.training.post_training.reporting import Observability
from services.training.post_training.requests import Trackers
from services.training.post_training.rewarding import RewardScoring
from services.training.post_training.servicer import PostTrainingServicer
from services.training.post_training.submission import Parts, Submission
from services.training.post_training.submitted import JOB_KINDS
from services.training.revisions import Revisions

if TYPE_CHECKING:
    from services.training.config import TrainingConfig

QUEUE: Final = "post_training"
LEASE: Final = Lease(seconds=15.0, attempts=10)
"""Short, because the cluster goes on with a job while nobody owns it: it is found again soon."""
RENEW_S: Final = 2.0
"""Seconds between two looks at whether a job is to be cancelled."""
SWEEP_S: Final = 60.0


class PostTraining:
    """The service's part that trains models on the rows of datasets."""

    def __init__(self, config: TrainingConfig, storage: Storage, client: Client, revisions: Revisions) -> None:
        """Build everything; nothing is started before :meth:`begin`."""
        settings = config.post_training
        inference, evaluation = client.channel(config.peers.inference), client.channel(config.peers.eval)
        store = JobStore(storage, QUEUE, LEASE)
        places = Places(config.data / "jobs")
        self._cluster = _cluster(config)
        self._sweeping: asyncio.Task[None] | None = None
        self._holdings = Holdings(store, revisions, places)
        self._told = told = Observability(evaluation, places)
        parts = supervision.Parts(store, self._cluster, places, told, self._holdings)
        watching = supervision.Supervision(parts, settings.losses)
        pace = WorkerConfig(f"training-{new_id()}", settings.jobs, renew_s=RENEW_S)
        self._worker = Worker(store, dict.fromkeys(JOB_KINDS, watching.handle), pace)
        bases = Bases(ServedModels(inference), places, tuple(map(Path, settings.model_roots)))
        trackers = Trackers(settings.mlflow, settings.mlflow_hosts)
        rewards = RewardScoring(evaluation)
        self._jobs = Jobs(store, places, watching, self._holdings, self._worker.wake)
        asked = Parts(store, bases, revisions, self._cluster, places, trackers, rewards, told)
        servicer = PostTrainingServicer(
            Submission(asked, settings.max_waiting),
            self._jobs,
            Registry(storage, places, InferenceServing(inference), time.time),
            Evaluations(evaluation),
            places,
            self._worker.wake,
        )
        self.registration = Registration(add_PostTrainingServiceServicer_to_server, servicer)

    async def begin(self, *, alone: bool) -> None:
        """Begin to take jobs, those that a process before this one left included.

        ``alone`` says that no other process has the same database.
        """
        await self._holdings.sweep(alone=alone)
        self._sweeping = asyncio.create_task(self._keep_swept())
        self._worker.start()

    async def stop(self) -> None:
        """Give the jobs back, and end what runs on this machine alone."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await self._worker.stop()
        await self._jobs.close()
        await self._told.close()
        await self._cluster.close()

    async def _keep_swept(self) -> None:
        """Let go of what jobs that are over hold, every minute, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            # when the database is away, there will be another minute
            with suppress(MeshError):
                await self._holdings.sweep(alone=False)


def _cluster(config: TrainingConfig) -> RayCluster:
    settings = config.post_training
    if settings.ray_address:
        return RayCluster(RemotePlace(settings.ray_address, settings.ray_token))
    head = LocalHead(config.data / "ray", settings.cpus, settings.ray_idle_s)
    return RayCluster(LocalPlace(head, settings.cpus))
