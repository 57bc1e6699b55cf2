"""The turns that run in this process: begun, picked up from processes that died, kept by leases, ended.

A turn runs in a task of its own and not in the call that asked for it, under the identity of who asked. Nothing of the
loop is known here but its outcome.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from mesh import deadline
from mesh.errors import BackendUnavailable, Internal, MeshError, Overloaded, from_exception
from mesh.identity import acting_as
from services.agents.commits import Commits
from services.agents.course import Paused
from services.agents.feed import Feeds
from services.agents.journal import Journal, LeaseLost, Past
from services.agents.staging import NOBODY, Caller, Player
from services.agents.turn import StoredTurn
from services.agents.turns import Turns

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """Who runs turns, and at which pace.

    Attributes:
        owner: unique among all processes, across restarts too.
        alone: whether no other process uses the database.
        renew_s: seconds between signs of life, well below the lease.
        poll_s: seconds between looks for turns that nobody runs.
        max_turns: turns at once.
        attempts: owners that a turn may have one after the other.
    """

    owner: str
    alone: bool
    renew_s: float = 3.0
    poll_s: float = 1.0
    max_turns: int = 1000
    attempts: int = 100


@dataclass(slots=True)
class _Loops:
    """The tasks of a process that never end by themselves."""

    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Runs:
    """Runs turns."""

    def __init__(self, turns: Turns, commits: Commits, stage: Player, feeds: Feeds, pace: Pace) -> None:
        """Keep the parts."""
        self._turns = turns
        self._commits = commits
        self._stage = stage
        self._feeds = feeds
        self._pace = pace
        self._running: dict[str, asyncio.Task[None]] = {}
        self._beginning: set[str] = set()
        # of turns that wait for a person; nothing of a caller's token is ever stored
        self._callers: dict[str, Caller] = {}
        self._loops = _Loops()

    @property
    def owner(self) -> str:
        """The name under which this process owns turns."""
        return self._pace.owner

    @property
    def count(self) -> int:
        """The turns that run now."""
        return len(self._running)

    def admit(self) -> None:
        """Return if one more turn can run.

        Raises:
            Overloaded: too many do.
        """
        if len(self._running) >= self._pace.max_turns:
            raise Overloaded("as many turns run as the service takes")

    @contextmanager
    def beginning(self, uid: str) -> Iterator[None]:
        """Have a turn that is being stored left to the caller, who starts it within the block."""
        self._beginning.add(uid)
        try:
            yield
        finally:
            self._beginning.discard(uid)

    def start(self, turn: StoredTurn, past: Past, caller: Caller = NOBODY) -> None:
        """Run a turn that this process owns, or go on with it after what is written."""
        feed = self._feeds.open(turn.uid, turn.last_sequence - len(past.chunks))
        feed.publish(past.chunks)
        journal = Journal(self._commits, feed, turn, past)
        task = asyncio.create_task(self._run(turn, journal, caller))
        self._running[turn.uid] = task
        task.add_done_callback(lambda _: self._ended(turn.uid, task))

    def drop(self, uid: str) -> None:
        """Stop to run a turn that is not this process's any more."""
        self._callers.pop(uid, None)
        task = self._running.get(uid)
        if task is not None:
            task.cancel()

    def wake(self) -> None:
        """Look for turns that nobody runs now, not only at the next poll."""
        self._loops.woken.set()

    async def begin(self) -> None:
        """Take over what a process before this one left, and go on to do so."""
        if self._pace.alone:
            await self._adopt()
        self._loops.tasks = [asyncio.create_task(self._adopting()), asyncio.create_task(self._renewing())]

    async def stop(self) -> None:
        """Run nothing any more; others can go on with the turns at once."""
        tasks = [*self._loops.tasks, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._loops.tasks:
            await self._turns.give_back(self._pace.owner)

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        if self._running.get(uid) is task:
            del self._running[uid]
            self._feeds.close(uid)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a turn ended in a way that it should not", exc_info=error)

    async def _run(self, turn: StoredTurn, journal: Journal, caller: Caller) -> None:
        """Run a turn to its end, whichever that is."""
        with deadline.without(), acting_as(turn.identity):
            try:
                if turn.attempt > self._pace.attempts:
                    raise BackendUnavailable("the processes that ran the turn were lost too often")
                output = await self._stage.play(turn, journal, caller)
                await journal.complete(output, self._stage.now())
            except Paused:
                self._remember(turn.uid, caller)
            except LeaseLost:
                log.info("turn %s is run by somebody else or is over", turn.uid)
            except asyncio.CancelledError:
                # what was done until now is not to be done again
                with suppress(MeshError):
                    await journal.settle()
                raise
            except Exception as error:  # noqa: BLE001 - the edge of a turn: whatever happened, its caller hears of it
                await self._fail(turn, journal, _told(turn, error))

    def _remember(self, uid: str, caller: Caller) -> None:
        """Keep on whose behalf tools are called once a person has allowed it."""
        if caller.authorization is None:
            return
        self._callers[uid] = Caller(caller.authorization)
        if len(self._callers) > self._pace.max_turns:
            del self._callers[next(iter(self._callers))]

    async def _fail(self, turn: StoredTurn, journal: Journal, error: MeshError) -> None:
        try:
            await journal.fail(error, self._stage.now())
        except LeaseLost:
            return
        except MeshError as failure:
            # its lease runs out, and it is tried again
            log.warning("the end of turn %s can't be written now: %s", turn.uid, failure.message)

    async def _adopting(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pace.poll_s):
                    await self._loops.woken.wait()
            except TimeoutError:
                pass
            self._loops.woken.clear()
            try:
                await self._adopt()
            except MeshError as error:
                log.warning("no turn can be taken over now: %s", error.message)

    async def _adopt(self) -> None:
        held = {*self._running, *self._beginning}
        for turn in await self._turns.claim(self._pace.owner, held, alone=self._pace.alone):
            self.start(turn, await self._turns.past(turn), self._callers.pop(turn.uid, NOBODY))

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(self._pace.renew_s)
            uids = list(self._running)
            if not uids:
                continue
            try:
                kept = await self._turns.renew(self._pace.owner, uids)
            except MeshError as error:
                log.warning("leases can't be renewed now: %s", error.message)
                continue
            for uid in uids:
                if uid not in kept:
                    self.drop(uid)


def _told(turn: StoredTurn, error: Exception) -> MeshError:
    """Return the error that callers hear of; a defect is logged under its id."""
    told = from_exception(error)
    if isinstance(told, Internal):
        log.error("turn %s failed, id %s", turn.uid, told.error_id, exc_info=error, extra={"error_id": told.error_id})
    return told
