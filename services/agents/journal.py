"""What a running turn writes, in the order of its writing, and what it finds written by those who ran it before.

Events get their numbers when they are emitted and are sent when they are committed; who emits does not wait. A turn
that is run again from its beginning finds its steps here instead of making them (``replayed``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, update

from llamastack.agents.v1 import event_pb2 as events
from llamastack.agents.v1.turn_pb2 import Step, StepType, Turn
from llamastack.common.v1.content_pb2 import Attachment
from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.common.v1.value_pb2 import JsonValue
from mesh.errors import MeshError, ResourceBusy
from mesh.ids import new_id
from services.agents import calls
from services.agents.calls import StoredCall
from services.agents.commits import Commits
from services.agents.feed import Feed
from services.agents.tables import CALLS, EVENTS, TURNS
from services.agents.turn import (
    AWAITING,
    COMPLETED,
    FAILED,
    RUNNING,
    Detail,
    StoredTurn,
    error_of,
    files_to_bytes,
    recorded,
    step_of,
    type_of,
)

Chunk = events.AgenticSystemTurnResponseStreamChunk
Payload = events.AgenticSystemTurnResponsePayload


# statements that are made once cost half of what new ones do
_OWNED: Final = update(TURNS).where(
    TURNS.c.uid == bindparam("its_uid"),
    TURNS.c.owner == bindparam("its_owner"),
    TURNS.c.attempt == bindparam("its_attempt"),
    TURNS.c.status == RUNNING,
)
_APPENDED: Final = insert(EVENTS)

LINGER_S: Final = 0.01
"""How long a delta waits for others before they are committed together; nobody notices, and a commit costs more."""


class LeaseLost(ResourceBusy):
    """The turn belongs to somebody else by now, or is over: what runs here has to stop without a word."""


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step that was begun and not finished; ``progressed`` tells whether anything of it was sent already."""

    step_type: StepType.ValueType
    step_id: str
    progressed: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What is written of a turn before it runs here, oldest first: events, calls, files that its tools made."""

    chunks: Sequence[Chunk] = ()
    calls: Sequence[StoredCall] = ()
    files: Sequence[Attachment] = ()

    def open_step(self) -> OpenStep | None:
        """Return the step that nobody finished."""
        found: OpenStep | None = None
        for chunk in self.chunks:
            payload = chunk.event.payload
            if payload.HasField("step_start"):
                found = OpenStep(payload.step_start.step_type, payload.step_start.step_id, False)
            elif payload.HasField("step_progress") and found is not None:
                found = OpenStep(found.step_type, found.step_id, True)
            elif payload.HasField("step_complete"):
                found = None
        return found


def ended_with(turn: Turn) -> Payload:
    """Return the last event of a turn that went well."""
    return Payload(turn_complete=events.AgenticSystemTurnResponseTurnCompletePayload(turn=turn))


@dataclass(slots=True)
class _Batch:
    """What goes into one transaction: events, columns of the turn, calls."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[StoredCall, bool]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.values or self.calls)


class Journal:
    """The writing hand of one turn's owner.

    Every write is bound to the owner's lease; once it is lost, :meth:`settle` raises and nothing more is written.
    """

    def __init__(self, commits: Commits, feed: Feed, turn: StoredTurn, past: Past) -> None:
        """Go on after what is written."""
        self._commits = commits
        self._feed = feed
        self._turn = turn
        self._sequence = turn.last_sequence
        self._steps = [recorded(chunk) for chunk in past.chunks if chunk.event.payload.HasField("step_complete")]
        self._done = list(self._steps)
        self._files = list(past.files)
        self._open = past.open_step()
        self._calls = {(stored.iteration, stored.position): stored for stored in past.calls}
        self._due = _Batch()
        self._taken = _Batch()
        self._writing: asyncio.Future[Any] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._hurried = False
        self._failure: BaseException | None = None

    def replayed(self, step_type: StepType.ValueType) -> Step | None:
        """Return the next step that is written already, each once and in order; None when the next one is to be made.

        A judgement that nobody asks for any more, because a tool's definition changed, is passed over.
        """
        kinds = [type_of(step) for step in self._steps]
        while kinds and kinds[0] != step_type and kinds[0] == StepType.STEP_TYPE_SHIELD_CALL and step_type in kinds:
            del kinds[0], self._steps[0]
        return self._steps.pop(0) if kinds and kinds[0] == step_type else None

    def call(self, iteration: int, position: int) -> StoredCall | None:
        """Return what is written of a call."""
        return self._calls.get((iteration, position))

    def begin(self, step_type: StepType.ValueType, metadata: Mapping[str, JsonValue] | None = None) -> str:
        """Begin a step and return its id.

        A step that was begun before and of which nothing was sent but its beginning goes on under its id. One that had
        progressed is begun anew: its deltas count for nothing, as no end of it will ever come.
        """
        before, self._open = self._open, None
        if before is not None and before.step_type == step_type and not before.progressed:
            return before.step_id
        step_id = new_id()
        start = events.AgenticSystemTurnResponseStepStartPayload(
            step_type=step_type, step_id=step_id, metadata=metadata or {}
        )
        self.emit(Payload(step_start=start))
        return step_id

    def emit(self, payload: Payload) -> None:
        """Write an event, together with those that come within the next moment."""
        chunk = self._numbered(payload)
        self._write_down(chunk, chunk)
        self._wait()

    def record(self, step: Step, files: Sequence[Attachment] = ()) -> None:
        """Write a step that is done together with its event."""
        complete = events.AgenticSystemTurnResponseStepCompletePayload(step_type=type_of(step), step_details=step)
        chunk = self._numbered(Payload(step_complete=complete))
        self._done.append(step)
        self._files += files
        self._write_down(chunk, chunk, step_id=step_of(step).step_id, files=files_to_bytes(files))
        self._hurry()

    def _numbered(self, payload: Payload) -> Chunk:
        self._sequence += 1
        return Chunk(event=events.AgenticSystemTurnResponseEvent(payload=payload), sequence=self._sequence)

    def _write_down(
        self, stored: Chunk, sent: Chunk, *, step_id: str | None = None, files: bytes | None = None
    ) -> None:
        """Have an event stored in one form and sent in another, which may say more."""
        body = stored.SerializeToString()
        row = {"turn": self._turn.uid, "sequence": self._sequence, "step_id": step_id, "body": body, "files": files}
        self._due.rows.append(row)
        self._due.chunks.append(sent)

    def keep(self, stored: StoredCall) -> None:
        """Write how far a call is."""
        key = (stored.iteration, stored.position)
        self._due.calls.append((stored, key not in self._calls))
        self._calls[key] = stored
        self._hurry()

    async def pause(self, waiting: Sequence[ToolCall]) -> None:
        """Write that the turn waits for a person, and give it out of hand."""
        required = events.AgenticSystemTurnResponseApprovalRequiredPayload(
            turn_id=self._turn.turn_id, tool_calls=waiting
        )
        self._due.values |= {"status": AWAITING, "owner": None, "lease_until": None}
        self.emit(Payload(approval_required=required))
        await self.settle()

    async def rest(self) -> None:
        """Write that the turn still waits for a person, of which an event tells already."""
        self._due.values |= {"status": AWAITING, "owner": None, "lease_until": None}
        await self.settle()

    async def complete(self, output: CompletionMessage, at: float) -> None:
        """Write the end of a turn that went well."""
        ended = {"status": COMPLETED, "output": output.SerializeToString(), "completed_at": at, "owner": None}
        self._due.values |= ended
        stored = self._numbered(ended_with(Turn(turn_id=self._turn.turn_id)))
        turn = replace(self._turn, status=COMPLETED, output=output, completed_at=at, last_sequence=self._sequence)
        sent = Chunk(sequence=self._sequence)
        sent.event.payload.CopyFrom(ended_with(Detail(turn, self._done, self._files).message()))
        self._write_down(stored, sent)
        await self.settle()

    async def fail(self, failure: MeshError, at: float) -> None:
        """Write the end of a turn that failed."""
        error = error_of(failure).SerializeToString()
        self._due.values |= {"status": FAILED, "error": error, "completed_at": at, "owner": None}
        await self.settle()

    async def settle(self) -> None:
        """Wait until everything is committed.

        Raises:
            LeaseLost: somebody else owns the turn.
            MeshError: the database can't be written.
        """
        self._wake()
        while self._failure is None and self._writing is not None:
            await asyncio.wait([self._writing])
            # its callback comes after those who wait
            await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure

    def _hurry(self) -> None:
        """Have what is due written as soon as can be."""
        self._hurried = True
        self._wake()

    def _wait(self) -> None:
        """Have what is due written in a moment."""
        if self._writing is None and self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._wake)

    def _wake(self) -> None:
        """Have what is due written, after what is being written."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._writing is None and self._failure is None and self._due:
            self._hurried = False
            self._writing = self._commits.submit(self._write, self._take)
            self._writing.add_done_callback(self._written)

    def _take(self) -> None:
        """Put together what is written next: all that is due by now."""
        self._taken, self._due = self._due, _Batch()

    def _write(self, connection: Connection) -> bool:
        """Write a batch and return True, or False without writing anything when the turn is not the owner's."""
        batch, turn = self._taken, self._turn
        last = batch.rows[-1]["sequence"] if batch.rows else None
        values = batch.values if last is None else {**batch.values, "last_sequence": last}
        mine = {"its_uid": turn.uid, "its_owner": turn.owner, "its_attempt": turn.attempt}
        # a write of nothing but calls still has to find out whether the turn is ours
        if connection.execute(_OWNED, {**(values or {"owner": turn.owner}), **mine}).rowcount != 1:
            return False
        if batch.rows:
            connection.execute(_APPENDED, batch.rows)
        for stored, is_new in batch.calls:
            row = calls.row_of(turn.uid, stored)
            if is_new:
                connection.execute(insert(CALLS), row)
            else:
                key = (CALLS.c.iteration == stored.iteration, CALLS.c.position == stored.position)
                connection.execute(update(CALLS).where(CALLS.c.turn == turn.uid, *key).values(row))
        return True

    def _written(self, writing: asyncio.Future[Any]) -> None:
        """Send what is committed, and go on with what came meanwhile."""
        self._writing = None
        if writing.cancelled() or (error := writing.exception()) is not None:
            self._failure = LeaseLost() if writing.cancelled() else error
        elif not writing.result():
            self._failure = LeaseLost()
        else:
            self._feed.publish(self._taken.chunks)
            if self._hurried:
                self._wake()
            elif self._due:
                self._wait()
