"""Watches over the health of inference workers by the gRPC health checking protocol."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from services.inference.remote.pool import Replica

log = logging.getLogger(__name__)

SERVICE: Final = "llamastack.inference.v1.InferenceService"
MOMENT_SECONDS: Final = 0.5
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0


class Watcher:
    """Keeps ``serving`` of replicas up to date until it is stopped.

    Args:
        lost: called when a replica that served no longer does.
    """

    def __init__(self, lost: Callable[[], None] = lambda: None) -> None:
        self._lost = lost
        self._tasks: dict[Replica, asyncio.Task[None]] = {}
        self._unheard: set[str] = set()
        self._one_serves = asyncio.Event()
        self._all_heard = asyncio.Event()

    def watch(self, replica: Replica, channel: grpc.aio.Channel) -> None:
        """Begin to watch a replica."""
        self._unheard.add(replica.address)
        watching = _watch(replica, HealthStub(channel), lambda serving: self._note(replica, serving))
        # the deadline and the identity of whoever registers the model are no business of the watch
        self._tasks[replica] = asyncio.create_task(watching, name=f"watch-{replica.address}", context=Context())

    async def forget(self, replica: Replica) -> None:
        """Watch a replica no more."""
        task = self._tasks.pop(replica)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._unheard.discard(replica.address)

    async def settled(self, seconds: float) -> None:
        """Return once a replica serves and the others had a moment to tell how they are, or after some seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._one_serves.wait(), seconds)
            await asyncio.wait_for(self._all_heard.wait(), MOMENT_SECONDS)

    async def stop(self) -> None:
        """Watch nobody any more."""
        await asyncio.gather(*map(self.forget, list(self._tasks)))

    def _note(self, replica: Replica, serving: bool) -> None:
        if replica.serving is not serving:
            log.info("%s %s", replica.address, "serves" if serving else "does not serve")
            replica.serving = serving
            if not serving:
                self._lost()
        self._unheard.discard(replica.address)
        if serving:
            self._one_serves.set()
        if not self._unheard:
            self._all_heard.set()


async def _watch(replica: Replica, stub: Any, note: Callable[[bool], None]) -> None:
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            # waiting for the connection is the runtime's business, with a backoff of its own
            async for response in stub.Watch(HealthCheckRequest(service=SERVICE), wait_for_ready=True):
                pause = FIRST_PAUSE_SECONDS
                note(response.status == HealthCheckResponse.SERVING)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                log.warning("%s has no health service; it is taken to be well", replica.address)
                return note(True)
            log.debug("the watch of %s ended", replica.address, exc_info=error)
        note(False)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
