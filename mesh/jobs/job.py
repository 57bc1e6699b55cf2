"""A job and the one state machine of all jobs.

::

    scheduled --> running --> completed
        |  ^         | |----> failed
        |  '---------' '----> cancelled
        '-------------------> cancelled

A running job becomes scheduled again when its owner gives it back or dies. A failed or cancelled one is over, but where
its service offers that it can be resumed, which makes it scheduled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mesh.errors import WrongState
from mesh.identity import Identity


class State(StrEnum):
    """Where a job is in its life."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing comes after it."""
        return self in FINAL


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.SCHEDULED: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.SCHEDULED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset({State.SCHEDULED}),
    State.CANCELLED: frozenset({State.SCHEDULED}),
}
FINAL: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


def check_transition(uuid: str, before: State, after: State) -> None:
    """Refuse a change of state that the machine does not have.

    Raises:
        WrongState: there is no such arrow.
    """
    if after not in TRANSITIONS[before]:
        raise WrongState(f"job {uuid!r} is {before} and can't become {after}", metadata={"state": before.value})


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is stored. Times are Unix seconds, None if it has not come to that.

    ``body`` is what the client asked for and ``kind`` how to read it; ``progress`` is what the owner saved for whoever
    picks the job up, ``result`` what it left at the end. ``attempt`` counts the owners so far, and with ``owner`` it
    tells an owner from one that it replaced. ``error_reason`` and ``error_message`` say why it failed.
    """

    uuid: str
    kind: str
    state: State
    identity: Identity
    body: bytes
    progress: bytes = b""
    result: bytes = b""
    attempt: int = 0
    owner: str | None = None
    lease_until: float | None = None
    cancel_requested: bool = False
    error_reason: str = ""
    error_message: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A job to be: ``uuid`` is the client's idempotency key, or None to have one made up."""

    kind: str
    body: bytes
    identity: Identity
    uuid: str | None = None
