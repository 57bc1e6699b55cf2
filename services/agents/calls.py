"""Tool calls as the database holds them: what was decided about them, and how far they are.

A call that may have effects is written down as started before it runs, and nobody runs a call again that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import RowMapping

from llamastack.common.v1.content_pb2 import Attachment
from llamastack.common.v1.tool_pb2 import ToolCall, ToolResponse
from services.agents.turn import files_from_bytes, files_to_bytes


class CallState(StrEnum):
    """How far a call is: waiting (for a person) -> approved or rejected; pending or approved -> started -> done."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    PENDING = "pending"
    STARTED = "started"
    DONE = "done"


class Decision(StrEnum):
    """What a person said to a call."""

    NONE = ""
    APPROVE = "approve"
    REJECT = "reject"


DECIDED: Final = {Decision.APPROVE: CallState.APPROVED, Decision.REJECT: CallState.REJECTED}
"""The state of a call after each decision."""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call of the turn's inference number ``iteration``, at ``position`` among the calls that run here."""

    iteration: int
    position: int
    call: ToolCall
    state: CallState = CallState.PENDING
    decision: Decision = Decision.NONE
    reason: str = ""
    response: ToolResponse | None = None
    files: Sequence[Attachment] = ()


def row_of(turn: str, stored: StoredCall) -> dict[str, Any]:
    """Return the columns of a call of the turn with that uid."""
    return {
        "turn": turn,
        "iteration": stored.iteration,
        "position": stored.position,
        "call_id": stored.call.call_id,
        "state": stored.state.value,
        "call": stored.call.SerializeToString(),
        "decision": stored.decision.value,
        "reason": stored.reason,
        "response": None if stored.response is None else stored.response.SerializeToString(),
        "files": files_to_bytes(stored.files),
    }


def call_of(row: RowMapping) -> StoredCall:
    """Return the call of a row."""
    return StoredCall(
        iteration=row["iteration"],
        position=row["position"],
        call=ToolCall.FromString(row["call"]),
        state=CallState(row["state"]),
        decision=Decision(row["decision"]),
        reason=row["reason"],
        response=None if row["response"] is None else ToolResponse.FromString(row["response"]),
        files=tuple(files_from_bytes(row["files"])),
    )
