"""A Ray cluster through its jobs API. Ray is imported with the first job, not when the service starts."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from mesh.errors import BackendUnavailable
from services.training.cluster.cluster import Capacity, Phase, Seen
from services.training.cluster.head_keeper import headers

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

T = TypeVar("T")
_PHASES: Final = {"PENDING": Phase.WAITING, "RUNNING": Phase.RUNNING}


class Place(Protocol):
    """Where a cluster is."""

    async def find(self) -> tuple[str, str]:
        """Return its http address and its token (empty for none), having started it if that is possible."""
        ...

    async def known(self) -> tuple[str, str] | None:
        """Return its http address and its token as they are now, None if nothing runs there."""
        ...

    async def capacity(self) -> Capacity | None:
        """Return what it has, None to ask the cluster itself."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class RayCluster:
    """A cluster in a place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._client: tuple[tuple[str, str], JobSubmissionClient] | None = None

    async def submit(self, submission: str, command: Sequence[str]) -> None:
        """Start a command; see :class:`Cluster`."""

        def start(client: JobSubmissionClient) -> None:
            try:
                client.submit_job(entrypoint=shlex.join(command), submission_id=submission)
            except RuntimeError:
                # a duplicate is an internal error of the server, which has no word of its own for it
                client.get_job_status(submission)

        await self._ask(start)

    async def look(self, submission: str) -> Seen:
        """Return how a submission is; see :class:`Cluster`."""

        def status(client: JobSubmissionClient) -> Seen:
            try:
                info = client.get_job_info(submission)
            except RuntimeError as error:
                if "404" in str(error) or "does not exist" in str(error):
                    return Seen(Phase.MISSING)
                raise
            return Seen(_PHASES.get(str(info.status.value), Phase.ENDED), info.message or "")

        return await self._ask(status)

    async def stop(self, submission: str) -> None:
        """End a submission; see :class:`Cluster`."""
        where = await self._place.known()
        if where is None:
            return

        def end(client: JobSubmissionClient) -> None:
            try:
                client.stop_job(submission)
            except RuntimeError as error:
                if "404" not in str(error) and "does not exist" not in str(error):
                    raise

        await self._ask_at(where, end)

    async def capacity(self) -> Capacity:
        """Return what the cluster has; see :class:`Cluster`."""
        told = await self._place.capacity()
        return told if told is not None else await self._ask(_capacity)

    async def close(self) -> None:
        """Let go of the cluster."""
        await self._place.close()

    async def _ask(self, what: Callable[[JobSubmissionClient], T]) -> T:
        return await self._ask_at(await self._place.find(), what)

    async def _ask_at(self, where: tuple[str, str], what: Callable[[JobSubmissionClient], T]) -> T:
        try:
            return await asyncio.to_thread(lambda: what(self._connected(where)))
        except (OSError, RuntimeError, ConnectionError) as error:
            raise BackendUnavailable("the Ray cluster can't be reached", retry_after_s=5.0) from error

    def _connected(self, where: tuple[str, str]) -> JobSubmissionClient:
        with self._lock:
            if self._client is None or self._client[0] != where:
                from ray.job_submission import JobSubmissionClient

                address, token = where
                self._client = (where, JobSubmissionClient(address, headers=headers(token)))
            return self._client[1]


def _capacity(client: Any) -> Capacity:
    response = client._do_request("GET", "/api/cluster_status")
    report = response.json().get("data", {}).get("clusterStatus", {})
    usage = (report.get("loadMetricsReport") or {}).get("usage") or {}
    if not usage or (report.get("autoscalerReport") or {}).get("pendingLaunches"):
        return Capacity(None, None)
    return Capacity(float(usage.get("CPU", [0, 0])[1]), float(usage.get("GPU", [0, 0])[1]))


class RemotePlace:
    """A cluster elsewhere, by the http address of its dashboard."""

    def __init__(self, address: str, token: str) -> None:
        self._where = (address, token)

    async def find(self) -> tuple[str, str]:
        """Return the address and the token."""
        return self._where

    async def known(self) -> tuple[str, str] | None:
        """Return the address and the token."""
        return self._where

    async def capacity(self) -> Capacity | None:
        """Return None: the cluster knows."""
        return None

    async def close(self) -> None:
        """Leave the cluster as it is."""


class LocalPlace:
    """The head of this machine."""

    def __init__(self, head: Any, cpus: int) -> None:
        self._head = head
        self._cpus = cpus

    async def find(self) -> tuple[str, str]:
        """Return address and token of the head, having started it if there is none."""
        head = await self._head.ready()
        return head.address, head.token

    async def known(self) -> tuple[str, str] | None:
        """Return address and token of the head, None if there is none."""
        head = await self._head.known()
        return None if head is None else (head.address, head.token)

    async def capacity(self) -> Capacity | None:
        """Return what this machine has."""
        return Capacity(float(self._cpus), float(gpus()))

    async def close(self) -> None:
        """End the head."""
        await self._head.close()


def gpus() -> int:
    """Return how many GPUs of NVIDIA this machine shows to its processes."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
