"""The Ray head of this machine as the service sees it: started on demand, found again, ended with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from mesh.errors import BackendUnavailable
from services.training.cluster import head_keeper
from services.training.cluster.head_keeper import Head

_LOOK_S: Final = 0.3
_TOUCH_S: Final = 5.0
_END_S: Final = 20.0


class LocalHead:
    """Finds or starts the head of a folder.

    Args:
        folder: where the head's keeper says how to reach it.
        cpus: what the head may use.
        idle_s: seconds that the head outlives the service.
        start_s: seconds that it may take to start.
    """

    def __init__(self, folder: Path, cpus: int, idle_s: float, start_s: float = head_keeper.START_S) -> None:
        self._folder = folder.absolute()
        self._cpus = cpus
        self._idle_s = idle_s
        self._start_s = start_s
        self._lock = asyncio.Lock()
        self._touching: asyncio.Task[None] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    async def ready(self) -> Head:
        """Return a head that answers, started if there is none.

        Raises:
            BackendUnavailable: it does not start.
        """
        async with self._lock:
            if self._touching is None:
                self._touch()
                self._touching = asyncio.create_task(self._keep_touching())
            until = time.monotonic() + self._start_s
            while True:
                head = head_keeper.read(self._folder)
                if head is not None and await asyncio.to_thread(head_keeper.answers, head):
                    return head
                if time.monotonic() > until:
                    raise BackendUnavailable("the local Ray head does not start", retry_after_s=30.0)
                if not await asyncio.to_thread(head_keeper.held, self._folder):
                    await asyncio.to_thread(self._start)
                await asyncio.sleep(_LOOK_S)

    async def known(self) -> Head | None:
        """Return the head that is there, None for none or one that does not take jobs yet."""
        return await asyncio.to_thread(head_keeper.read, self._folder)

    async def close(self) -> None:
        """End the head, if there is one, and everything in it."""
        if self._touching is not None:
            self._touching.cancel()
            await asyncio.gather(self._touching, return_exceptions=True)
            self._touching = None
        head = head_keeper.read(self._folder)
        keeper = self._keeper.pid if self._keeper is not None else head.keeper if head is not None else None
        if keeper is None or not (self._folder / head_keeper.LOCK).exists():
            return
        if await asyncio.to_thread(head_keeper.held, self._folder):
            with suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGTERM)
            until = time.monotonic() + _END_S
            while time.monotonic() < until:
                if not await asyncio.to_thread(head_keeper.held, self._folder):
                    break
                await asyncio.sleep(0.1)
        self._reap()

    def _start(self) -> None:
        self._reap()
        command = [sys.executable, "-m", "services.training.cluster.head_keeper"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_roots())}
        with (self._folder / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [*command, str(self._folder), str(self._cpus), str(self._idle_s)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # it takes the lock in a moment, and until then it must not be started twice
        until = time.monotonic() + 10
        while self._keeper.poll() is None and not head_keeper.held(self._folder) and time.monotonic() < until:
            time.sleep(0.05)

    def _reap(self) -> None:
        if self._keeper is not None:
            with suppress(subprocess.TimeoutExpired):
                self._keeper.wait(timeout=5)
            self._keeper = None

    def _touch(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / head_keeper.LEASE).touch()

    async def _keep_touching(self) -> None:
        while True:
            await asyncio.to_thread(self._touch)
            await asyncio.sleep(_TOUCH_S)


def _roots() -> list[str]:
    """Return where the job's processes find the project's packages, as this process does."""
    found = dict.fromkeys(path for path in sys.path if path and Path(path).is_dir() and "site-packages" not in path)
    return [str(Path(path).absolute()) for path in found if not path.startswith(sys.base_prefix)]
