"""The turns of all tenants in the database: begun, found, claimed by whoever runs them, cancelled, decided on.

What a running turn writes goes through its journal. ``clock`` gives Unix seconds; the clocks of replicas may differ by
a small part of a lease.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.agents.v1.turn_pb2 import Step, TurnStatus
from llamastack.common.v1.content_pb2 import Attachment
from mesh.errors import ResourceBusy, ResourceExists, ResourceNotFound, WrongState
from mesh.storage import SQLITE, Storage
from services.agents import calls
from services.agents.calls import DECIDED, CallState, Decision, StoredCall
from services.agents.commits import Commits
from services.agents.journal import Past
from services.agents.tables import CALLS, EVENTS, TURNS
from services.agents.turn import (
    AWAITING,
    CANCELLED,
    COMPLETED,
    KIND,
    RUNNING,
    UNDER_WAY,
    Detail,
    StoredTurn,
    files_from_bytes,
    recorded,
    row_of,
    turn_of,
)

# statements that are made once cost half of what new ones do
_APPENDED: Final = insert(EVENTS)
_FOLLOWING: Final = select(func.coalesce(func.max(TURNS.c.position), 0) + 1).where(
    TURNS.c.session_id == bindparam("its_session")
)
_COMPLETED: Final = (
    select(TURNS)
    .where(TURNS.c.session_id == bindparam("its_session"), TURNS.c.status == COMPLETED)
    .order_by(TURNS.c.position.desc())
    .limit(bindparam("newest"))
)
_STEPS: Final = (
    select(EVENTS.c.turn, EVENTS.c.body, EVENTS.c.files)
    .where(EVENTS.c.turn.in_(bindparam("uids", expanding=True)), EVENTS.c.step_id.is_not(None))
    .order_by(EVENTS.c.turn, EVENTS.c.sequence)
)

_CLAIMED_AT_ONCE: Final = 64
_RETRY_AFTER_S: Final = 1.0


class Turns:
    """Keeps turns; ``lease_s`` is how long an owner holds one without a sign of life."""

    def __init__(self, storage: Storage, commits: Commits, lease_s: float, clock: Callable[[], float]) -> None:
        """Keep the parts."""
        self._storage = storage
        self._commits = commits
        self._lease_s = lease_s
        self._clock = clock
        dialect: Any = sqlite if storage.kind == SQLITE else postgresql
        self._insert = dialect.insert(TURNS).values(position=_FOLLOWING.scalar_subquery()).on_conflict_do_nothing()

    async def begin(self, turn: StoredTurn, first: Chunk) -> StoredTurn:
        """Store a turn that its owner runs, with its first event; return it, or the one that is the same request.

        Raises:
            ResourceExists: the tenant has a turn of that id with another request.
            ResourceBusy: another turn of the session is under way.
            ResourceNotFound: the session is gone.
        """
        values = row_of(turn) | {"its_session": turn.session_id, "last_sequence": first.sequence}
        event = {"turn": turn.uid, "sequence": first.sequence, "body": first.SerializeToString()}

        def write(connection: Connection) -> bool:
            # a lease counts from when it is written, however long it waited for that
            if connection.execute(self._insert, values | {"lease_until": self._clock() + self._lease_s}).rowcount != 1:
                return False
            connection.execute(_APPENDED, event)
            return True

        try:
            stored = await self._commits.submit(write)
        except IntegrityError as error:
            raise ResourceNotFound("session", turn.session_id) from error
        if not stored:
            return await self._other(turn)
        return replace(turn, last_sequence=first.sequence)

    async def _other(self, wanted: StoredTurn) -> StoredTurn:
        """Return the turn that is in the way of one, if it is the same request."""
        query = self._query(wanted.tenant).where(TURNS.c.turn_id == wanted.turn_id)
        row = await self._storage.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            raise ResourceBusy("a turn of this session is under way", retry_after_s=_RETRY_AFTER_S)
        if row["digest"] != wanted.digest:
            raise ResourceExists(KIND, wanted.turn_id)
        return turn_of(row)

    async def get(self, tenant: str, system_id: str, turn_id: str) -> StoredTurn:
        """Return a turn.

        Raises:
            ResourceNotFound: the system has no turn of that id.
        """
        return await self._storage.read(lambda connection: self._one(connection, tenant, system_id, turn_id))

    async def current(self, uid: str) -> StoredTurn | None:
        """Return a turn as it is now by its uid; None when it was deleted."""
        query = select(TURNS).where(TURNS.c.uid == uid)
        row = await self._storage.read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else turn_of(row)

    async def detail(self, turn: StoredTurn) -> Detail:
        """Return a turn with its steps."""
        return (await self.details([turn]))[0]

    async def details(self, turns: Sequence[StoredTurn]) -> list[Detail]:
        """Return turns with their steps, in the same order."""
        return await self._storage.read(lambda connection: self._details(connection, turns))

    async def of_session(self, session_id: str, turn_ids: Collection[str] = ()) -> list[Detail]:
        """Return the turns of a session with their steps, oldest first: all, or those named."""
        query = select(TURNS).where(TURNS.c.session_id == session_id).order_by(TURNS.c.position)
        if turn_ids:
            query = query.where(TURNS.c.turn_id.in_(turn_ids))
        return await self._storage.read(lambda connection: self._found(connection, query))

    async def completed(self, session_id: str, newest: int) -> list[Detail]:
        """Return the newest turns of a session that went well with their steps, oldest first."""

        def find(connection: Connection) -> list[Detail]:
            rows = connection.execute(_COMPLETED, {"its_session": session_id, "newest": newest}).mappings().all()
            return self._details(connection, [turn_of(row) for row in reversed(rows)])

        return await self._storage.read(find)

    async def page(self, session_id: str, status: TurnStatus.ValueType, after: int, size: int) -> list[Detail]:
        """Return up to ``size`` turns of a session after a position, oldest first; status 0 for all."""
        query = select(TURNS).where(TURNS.c.session_id == session_id, TURNS.c.position > after)
        if status:
            query = query.where(TURNS.c.status == status)
        query = query.order_by(TURNS.c.position).limit(size)
        return await self._storage.read(lambda connection: self._found(connection, query))

    async def step(self, turn: StoredTurn, step_id: str) -> Step:
        """Return a step of a turn.

        Raises:
            ResourceNotFound: the turn has none of that id that is done.
        """
        query = select(EVENTS.c.body).where(EVENTS.c.turn == turn.uid, EVENTS.c.step_id == step_id)
        body = await self._storage.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if body is None:
            raise ResourceNotFound("step", step_id)
        return recorded(Chunk.FromString(body))

    async def events(self, uid: str, after: int) -> tuple[StoredTurn | None, list[Chunk]]:
        """Return a turn as it is now (None when it was deleted) and its events after a sequence number.

        The two are of the same moment. The last event of a turn that went well has no turn in it yet.
        """
        query = select(EVENTS.c.body).where(EVENTS.c.turn == uid, EVENTS.c.sequence > after).order_by(EVENTS.c.sequence)

        def find(connection: Connection) -> tuple[StoredTurn | None, list[Chunk]]:
            # read first: events that are committed in between are left for the next time
            row = connection.execute(select(TURNS).where(TURNS.c.uid == uid)).mappings().one_or_none()
            if row is None:
                return None, []
            bodies = connection.execute(query.where(EVENTS.c.sequence <= row["last_sequence"])).scalars()
            return turn_of(row), [Chunk.FromString(body) for body in bodies]

        return await self._storage.read(find)

    async def past(self, turn: StoredTurn) -> Past:
        """Return what is written of a turn, for its new owner."""
        of_turn = select(EVENTS.c.body, EVENTS.c.files).where(EVENTS.c.turn == turn.uid).order_by(EVENTS.c.sequence)

        def find(connection: Connection) -> Past:
            rows = connection.execute(of_turn).all()
            chunks = [Chunk.FromString(body) for body, _ in rows]
            files = [file for _, stored in rows for file in files_from_bytes(stored)]
            return Past(chunks, self._calls(connection, [turn.uid]).get(turn.uid, []), files)

        return await self._storage.read(find)

    async def claim(self, owner: str, held: Collection[str], *, alone: bool) -> list[StoredTurn]:
        """Take turns that run but whose owner gives no sign of life, oldest first.

        ``held`` are the uids of those that the owner runs or is about to: it knows that they are not abandoned, however
        late its signs are, and would run what it took from itself twice. ``alone`` tells that no other process uses the
        database, so that every owner but this one is dead.
        """

        def write(connection: Connection) -> list[StoredTurn]:
            now = self._clock()
            abandoned = or_(TURNS.c.owner.is_(None), TURNS.c.lease_until < now)
            if alone:
                abandoned = or_(abandoned, TURNS.c.owner != owner)
            query = select(TURNS).where(TURNS.c.status == RUNNING, abandoned, TURNS.c.uid.not_in(held))
            # on PostgreSQL replicas skip each other's candidates; SQLite has one writer at a time anyway
            query = query.order_by(TURNS.c.started_at).limit(_CLAIMED_AT_ONCE).with_for_update(skip_locked=True)
            values = {"owner": owner, "attempt": TURNS.c.attempt + 1, "lease_until": now + self._lease_s}
            found = [turn_of(row) for row in connection.execute(query).mappings()]
            if found:
                uids = [turn.uid for turn in found]
                connection.execute(update(TURNS).where(TURNS.c.uid.in_(uids)).values(values))
            return [replace(turn, owner=owner, attempt=turn.attempt + 1) for turn in found]

        taken: list[StoredTurn] = await self._commits.submit(write)
        return taken

    async def renew(self, owner: str, uids: Collection[str]) -> set[str]:
        """Renew the leases of turns and return the uids of those that are still the owner's."""
        mine = and_(TURNS.c.uid.in_(uids), TURNS.c.owner == owner, TURNS.c.status == RUNNING)

        def write(connection: Connection) -> set[str]:
            until = self._clock() + self._lease_s
            connection.execute(update(TURNS).where(mine).values(lease_until=until))
            return set(connection.execute(select(TURNS.c.uid).where(mine)).scalars())

        kept: set[str] = await self._commits.submit(write)
        return kept

    async def give_back(self, owner: str) -> None:
        """Let others go on at once with the turns that a process ran."""
        mine = and_(TURNS.c.owner == owner, TURNS.c.status == RUNNING)

        def write(connection: Connection) -> None:
            connection.execute(update(TURNS).where(mine).values(owner=None, lease_until=None))

        await self._commits.submit(write)

    async def cancel(self, turn: StoredTurn) -> None:
        """End a turn that is under way; one that is over stays as it is."""
        open_turn = and_(TURNS.c.uid == turn.uid, TURNS.c.status.in_(UNDER_WAY))

        def write(connection: Connection) -> None:
            values = {"status": CANCELLED, "owner": None, "lease_until": None, "completed_at": self._clock()}
            connection.execute(update(TURNS).where(open_turn).values(values))

        await self._commits.submit(write)

    async def decide(self, turn: StoredTurn, call_id: str, decision: Decision, reason: str) -> bool:
        """Write what a person decided on a call; return whether the turn goes on now.

        Raises:
            ResourceNotFound: the turn has no such call.
            WrongState: the call does not wait, and it was not decided so before.
        """

        def write(connection: Connection) -> bool | list[StoredCall]:
            # whoever decides last sets the turn going, so decisions come one after the other
            locked = select(TURNS.c.status).where(TURNS.c.uid == turn.uid).with_for_update()
            status = connection.execute(locked).scalar_one_or_none()
            stored = self._calls(connection, [turn.uid]).get(turn.uid, [])
            waiting = [call for call in stored if call.state is CallState.WAITING]
            these = [call for call in waiting if call.call.call_id == call_id]
            if status != AWAITING or not these:
                return [call for call in stored if call.call.call_id == call_id]
            values = {"state": DECIDED[decision].value, "decision": decision.value, "reason": reason}
            where = (CALLS.c.turn == turn.uid, CALLS.c.call_id == call_id, CALLS.c.state == CallState.WAITING.value)
            connection.execute(update(CALLS).where(*where).values(values))
            if len(these) == len(waiting):
                going = {"status": RUNNING, "owner": None, "lease_until": None}
                connection.execute(update(TURNS).where(TURNS.c.uid == turn.uid).values(going))
            return len(these) == len(waiting)

        outcome: bool | list[StoredCall] = await self._commits.submit(write)
        if isinstance(outcome, bool):
            return outcome
        if not outcome:
            raise ResourceNotFound("tool call", call_id)
        if all(call.decision is not decision for call in outcome):
            raise WrongState("the call does not wait for approval")
        return False

    def _one(self, connection: Connection, tenant: str, system_id: str, turn_id: str) -> StoredTurn:
        query = self._query(tenant).where(TURNS.c.system_id == system_id, TURNS.c.turn_id == turn_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise ResourceNotFound(KIND, turn_id)
        return turn_of(row)

    def _found(self, connection: Connection, query: Select[Any]) -> list[Detail]:
        return self._details(connection, [turn_of(row) for row in connection.execute(query).mappings()])

    def _details(self, connection: Connection, turns: Sequence[StoredTurn]) -> list[Detail]:
        uids = [turn.uid for turn in turns]
        steps: defaultdict[str, list[Step]] = defaultdict(list)
        files: defaultdict[str, list[Attachment]] = defaultdict(list)
        if uids:
            for uid, body, stored in connection.execute(_STEPS, {"uids": uids}):
                steps[uid].append(recorded(Chunk.FromString(body)))
                files[uid] += files_from_bytes(stored)
        waiting = self._calls(connection, [turn.uid for turn in turns if turn.status == AWAITING])
        return [
            Detail(
                turn,
                steps[turn.uid],
                files[turn.uid],
                [stored.call for stored in waiting.get(turn.uid, ()) if stored.state is CallState.WAITING],
            )
            for turn in turns
        ]

    def _calls(self, connection: Connection, uids: Sequence[str]) -> dict[str, list[StoredCall]]:
        found: defaultdict[str, list[StoredCall]] = defaultdict(list)
        if uids:
            query = select(CALLS).where(CALLS.c.turn.in_(uids)).order_by(CALLS.c.iteration, CALLS.c.position)
            for row in connection.execute(query).mappings():
                found[row["turn"]].append(calls.call_of(row))
        return found

    def _query(self, tenant: str) -> Select[Any]:
        return select(TURNS).where(TURNS.c.tenant == tenant)
