"""The running part of post-training: takes jobs from the queue while the service lives."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.jobs.worker import Worker
from services.training.cluster.cluster import Cluster
from services.training.post_training.jobs import Jobs
from services.training.post_training.servicer import PostTrainingServicer


@dataclass(frozen=True, slots=True)
class PostTraining:
    """The servicer, and what runs behind it."""

    servicer: PostTrainingServicer
    worker: Worker
    jobs: Jobs
    cluster: Cluster

    def begin(self) -> None:
        """Begin to take jobs, those that a process before this one left included."""
        self.worker.start()

    async def stop(self) -> None:
        """Give the jobs back, and end what runs on this machine alone."""
        await self.worker.stop()
        await self.jobs.close()
        await self.cluster.close()
