"""Puts post-training together; the only module of this folder that names concrete classes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from llamastack.post_training.v1.post_training_service_pb2_grpc import add_PostTrainingServiceServicer_to_server
from mesh.client import Client
from mesh.ids import new_id
from mesh.jobs.store import JobStore, Lease
from mesh.jobs.worker import Worker, WorkerConfig
from mesh.server import Registration
from mesh.storage import Storage
from services.training.cluster.local_head import LocalHead
from services.training.cluster.ray_cluster import LocalPlace, RayCluster, RemotePlace
from services.training.post_training.bases import Bases, ServedModels
from services.training.post_training.jobs import Jobs
from services.training.post_training.places import Places
from services.training.post_training.registry import Evaluations, InferenceServing, Registry
from services.training.post_training.reporting import Observability
from services.training.post_training.servicer import PostTrainingServicer
from services.training.post_training.submission import JOB_KINDS, Parts, Submission
from services.training.post_training.supervision import Released, Supervision
from services.training.revisions import Revisions

if TYPE_CHECKING:
    from services.training.config import TrainingConfig

QUEUE: Final = "post_training"
LEASE: Final = Lease(seconds=15.0, attempts=10)
"""Short, because the cluster goes on with a job while nobody owns it: it is found again soon."""
RENEW_S: Final = 2.0
"""Seconds between two looks at whether a job is to be cancelled."""


class PostTraining:
    """The service's part that trains models on the rows of datasets."""

    def __init__(self, config: TrainingConfig, storage: Storage, client: Client, revisions: Revisions) -> None:
        """Build everything; nothing is started before :meth:`begin`."""
        settings = config.post_training
        inference, evaluation = client.channel(config.peers.inference), client.channel(config.peers.eval)
        store = JobStore(storage, QUEUE, LEASE)
        places = Places(config.data / "jobs")
        self._cluster = _cluster(config)
        supervision = Supervision(store, self._cluster, places, Observability(evaluation, places), settings.losses)
        pace = WorkerConfig(f"training-{new_id()}", settings.jobs, renew_s=RENEW_S)
        handler = Released(supervision.handle, revisions).handle
        self._worker = Worker(store, dict.fromkeys(JOB_KINDS, handler), pace)
        bases = Bases(ServedModels(inference), places, tuple(map(Path, settings.model_roots)))
        self._jobs = Jobs(store, places, supervision, self._worker.wake)
        servicer = PostTrainingServicer(
            Submission(Parts(store, bases, revisions, self._cluster, places), settings.max_waiting),
            self._jobs,
            Registry(storage, places, InferenceServing(inference), time.time),
            Evaluations(evaluation),
            places,
            self._worker.wake,
        )
        self.registration = Registration(add_PostTrainingServiceServicer_to_server, servicer)

    def begin(self) -> None:
        """Begin to take jobs, those that a process before this one left included."""
        self._worker.start()

    async def stop(self) -> None:
        """Give the jobs back, and end what runs on this machine alone."""
        await self._worker.stop()
        await self._jobs.close()
        await self._cluster.close()


def _cluster(config: TrainingConfig) -> RayCluster:
    settings = config.post_training
    if settings.ray_address:
        return RayCluster(RemotePlace(settings.ray_address, settings.ray_token))
    head = LocalHead(config.data / "ray", settings.cpus, settings.ray_idle_s)
    return RayCluster(LocalPlace(head, settings.cpus))
