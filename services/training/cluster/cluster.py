"""What the service needs of a cluster: take a job, tell how it is, stop it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """How a submission is, as the cluster sees it."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the cluster says of a submission; ``message`` is for the log of the service, not for clients."""

    phase: Phase
    message: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What all machines of the cluster have together; None where the cluster does not tell or can grow."""

    cpus: float | None
    gpus: float | None


class Cluster(Protocol):
    """Somewhere that jobs run, by ids that the caller chooses."""

    async def submit(self, submission: str, command: Sequence[str]) -> None:
        """Start a command; one that was submitted under that id already is left as it is.

        Raises:
            BackendUnavailable: the cluster can't be reached or did not start.
        """
        ...

    async def look(self, submission: str) -> Seen:
        """Return how a submission is.

        Raises:
            BackendUnavailable: the cluster can't be reached.
        """
        ...

    async def stop(self, submission: str) -> None:
        """End a submission; one that is over or not there stays so.

        Raises:
            BackendUnavailable: the cluster can't be reached.
        """
        ...

    async def capacity(self) -> Capacity:
        """Return what the cluster has, without starting it.

        Raises:
            BackendUnavailable: the cluster can't be reached.
        """
        ...

    async def close(self) -> None:
        """Let go of the cluster; one on this machine is ended with all that runs in it."""
        ...
