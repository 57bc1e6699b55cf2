"""Health by the gRPC health checking protocol (grpc.health.v1), per service, tied to what the services depend on.

A service is SERVING while the server runs, every dependency that it needs is well and nobody switched it off. The empty
name stands for the process: SERVING from the start to the drain, whatever the dependencies say, so that a restart
(which would not help) is not what a lost database leads to. Probes for readiness name a service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

from mesh.errors import ResourceNotFound

log = logging.getLogger(__name__)

PROCESS: Final = ""
_NO_SERVICES: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Dependency:
    """Something that services can't work without, found out by asking.

    ``check`` returns if it is well and raises if not; one that takes longer than ``timeout_s`` counts as not well. It
    is asked once before the server takes calls and then every ``interval_s`` seconds. ``services`` are full names;
    empty for all of the server.
    """

    name: str
    check: Callable[[], Awaitable[None]]
    services: frozenset[str] = _NO_SERVICES
    interval_s: float = 5.0
    timeout_s: float = 3.0


@dataclass
class _State:
    """What is known of one service."""

    off: bool = False
    lacking: set[str] = field(default_factory=set)


class HealthBoard:
    """The state of every service of a server, and the watchers that hear of its changes."""

    def __init__(self, services: Iterable[str]) -> None:
        self._states = {PROCESS: _State(), **{name: _State() for name in services}}
        self._changed = asyncio.Event()
        self._closing = False

    def serving(self, service: str) -> bool | None:
        """Return whether the service is SERVING, or None if the server does not have it."""
        state = self._states.get(service)
        return None if state is None else not (self._closing or state.off or state.lacking)

    def set_serving(self, service: str, serving: bool) -> None:
        """Switch a service (or ``PROCESS``) off or on; its dependencies count as before.

        Raises:
            KeyError: the server does not have the service.
        """
        self._states[service].off = not serving
        self._announce()

    def set_well(self, dependency: Dependency, well: bool) -> None:
        """Note how a dependency is; a change is logged."""
        names = dependency.services or self._states.keys() - {PROCESS}
        before = any(dependency.name in self._states[name].lacking for name in names)
        for name in names:
            lacking = self._states[name].lacking
            (lacking.discard if well else lacking.add)(dependency.name)
        if before is well:
            log.warning("%s is %s", dependency.name, "well again" if well else "not well")
            self._announce()

    def close(self) -> None:
        """Make everything NOT_SERVING for good; each watcher hears of it and its stream ends."""
        self._closing = True
        self._announce()

    async def watch(self, service: str) -> AsyncIterator[bool | None]:
        """Yield ``serving(service)`` now and at each change until ``close``."""
        last: tuple[bool | None] | None = None
        while True:
            changed = self._changed
            now = self.serving(service)
            if last != (now,):
                last = (now,)
                yield now
            if self._closing:
                return
            await changed.wait()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Health(HealthServicer):
    """Serves Check and Watch from a board."""

    def __init__(self, board: HealthBoard) -> None:
        self._board = board

    async def Check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:
        """Return the state of a service now.

        Raises:
            ResourceNotFound: the server does not have the service.
        """
        serving = self._board.serving(request.service)
        if serving is None:
            raise ResourceNotFound("service", request.service)
        return _response(serving)

    async def Watch(self, request: HealthCheckRequest, context: Any) -> AsyncIterator[HealthCheckResponse]:
        """Send the state of a service now and at each change; SERVICE_UNKNOWN for one the server does not have."""
        async for serving in self._board.watch(request.service):
            yield _response(serving)


def _response(serving: bool | None) -> HealthCheckResponse:
    if serving is None:
        return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
    return HealthCheckResponse(status=HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING)


async def ask(board: HealthBoard, dependency: Dependency) -> None:
    """Ask one dependency how it is and note it on the board."""
    try:
        async with asyncio.timeout(dependency.timeout_s):
            await dependency.check()
    except Exception as error:  # whatever a check raises means that the dependency is not well
        log.debug("the check of %s failed", dependency.name, exc_info=error)
        board.set_well(dependency, False)
    else:
        board.set_well(dependency, True)


async def observe(
    board: HealthBoard,
    dependencies: Sequence[Dependency],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Ask every dependency again and again, each at its own pace, until cancelled."""

    async def repeat(dependency: Dependency) -> None:
        while True:
            await sleep(dependency.interval_s)
            await ask(board, dependency)

    async with asyncio.TaskGroup() as group:
        for dependency in dependencies:
            group.create_task(repeat(dependency))
