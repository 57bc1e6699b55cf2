"""The settings of post-training."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mesh.config import setting


@dataclass(frozen=True)
class PostTrainingConfig:
    """Where jobs run, and how many."""

    ray_address: str = setting(
        "RAY_ADDRESS",
        "",
        "http(s) address of the dashboard of a Ray cluster that shares DATA; empty for a head on this machine.",
    )
    ray_token: str = setting("RAY_TOKEN", "", "The token of the Ray cluster; empty for none.", secret=True)
    ray_cpus: int = setting("RAY_CPUS", 0, "CPU cores that the head on this machine may use; 0 for all.")
    ray_idle_s: float = setting(
        "RAY_IDLE_S", 120.0, "Seconds that the head on this machine goes on without the service, to be found again."
    )
    jobs: int = setting("TRAINING_JOBS", 4, "Training jobs that are handed to the cluster at once; it queues too.")
    max_waiting: int = setting("MAX_WAITING_JOBS", 1000, "Training jobs that may wait.")
    losses: int = setting("JOB_LOSSES", 3, "How often a job is begun anew after the cluster lost it.")
    model_roots: tuple[str, ...] = setting(
        "MODEL_ROOTS", (), "Folders that requests may name models in by path, besides checkpoints of their own."
    )

    mlflow: str = setting(
        "MLFLOW_TRACKING_URI",
        "",
        "http(s): URL of an MLflow server or file: URL of a folder that jobs may report to.",
    )
    mlflow_hosts: tuple[str, ...] = setting(
        "MLFLOW_HOSTS", (), "host:port of other MLflow servers that requests may name; none by default."
    )

    def __post_init__(self) -> None:
        """Refuse what could not work."""
        if self.mlflow and not self.mlflow.startswith(("http://", "https://", "file:")):
            raise ValueError("MLFLOW_TRACKING_URI: http://, https:// or file: is needed")
        if self.ray_address and not self.ray_address.startswith(("http://", "https://")):
            raise ValueError("RAY_ADDRESS: the http:// or https:// address of the cluster's dashboard is needed")
        if self.jobs < 1 or self.max_waiting < 1 or self.losses < 0 or self.ray_cpus < 0 or self.ray_idle_s <= 0:
            raise ValueError("TRAINING_JOBS, MAX_WAITING_JOBS and RAY_IDLE_S are positive, the others not negative")

    @property
    def cpus(self) -> int:
        """The CPU cores of a head on this machine."""
        return self.ray_cpus or os.cpu_count() or 1
