"""A turn as the database holds it, and the message that callers get of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from sqlalchemy import RowMapping

from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk
from llamastack.agents.v1.turn_pb2 import (
    AgenticSystemTurnCreateRequest,
    InferenceStep,
    MemoryRetrievalStep,
    ShieldCallStep,
    Step,
    StepType,
    ToolExecutionStep,
    Turn,
    TurnError,
    TurnStatus,
)
from llamastack.common.v1.content_pb2 import Attachment, ContentPart, ContentParts
from llamastack.common.v1.error_pb2 import ErrorReason
from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.common.v1.tool_pb2 import ToolCall
from mesh.errors import DOMAIN, MeshError, from_status
from mesh.identity import Identity

RUNNING: Final = TurnStatus.TURN_STATUS_RUNNING
AWAITING: Final = TurnStatus.TURN_STATUS_AWAITING_APPROVAL
COMPLETED: Final = TurnStatus.TURN_STATUS_COMPLETED
FAILED: Final = TurnStatus.TURN_STATUS_FAILED
CANCELLED: Final = TurnStatus.TURN_STATUS_CANCELLED
UNDER_WAY: Final = (RUNNING, AWAITING)

KIND: Final = "turn"

_RETRYABLE: Final = (ErrorReason.ERROR_REASON_BACKEND_UNAVAILABLE, ErrorReason.ERROR_REASON_OVERLOADED)

AnyStep: TypeAlias = InferenceStep | ToolExecutionStep | ShieldCallStep | MemoryRetrievalStep

_TYPES: Final = {
    "inference": StepType.STEP_TYPE_INFERENCE,
    "tool_execution": StepType.STEP_TYPE_TOOL_EXECUTION,
    "shield_call": StepType.STEP_TYPE_SHIELD_CALL,
    "memory_retrieval": StepType.STEP_TYPE_MEMORY_RETRIEVAL,
}


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A row of the table of turns; times are Unix seconds.

    ``uid`` is the database's own id; ``owner`` and ``attempt`` tell who may write, ``config`` is the system's with the
    turn's override, as both were when the turn began. ``trace`` tells of the call that began it, for those who observe.
    """

    uid: str
    tenant: str
    turn_id: str
    system_id: str
    session_id: str
    status: TurnStatus.ValueType
    request: AgenticSystemTurnCreateRequest
    digest: str
    config: AgenticSystemInstanceConfig
    identity: Identity
    started_at: float
    owner: str | None = None
    attempt: int = 0
    last_sequence: int = 0
    output: CompletionMessage | None = None
    position: int = 0
    error: TurnError | None = None
    completed_at: float | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """A turn with all that callers see of it."""

    turn: StoredTurn
    steps: Sequence[Step] = ()
    files: Sequence[Attachment] = ()
    waiting: Sequence[ToolCall] = field(default=())

    def message(self) -> Turn:
        """Return it as callers get it."""
        turn = self.turn
        made = Turn(
            turn_id=turn.turn_id,
            session_id=turn.session_id,
            input_messages=turn.request.messages,
            steps=self.steps,
            output_message=turn.output,
            started_at=timestamp(turn.started_at),
            status=turn.status,
            error=turn.error,
            pending_approvals=self.waiting,
            last_sequence=turn.last_sequence,
            output_attachments=self.files,
        )
        if turn.completed_at is not None:
            made.completed_at.CopyFrom(timestamp(turn.completed_at))
        return made


def row_of(turn: StoredTurn) -> dict[str, Any]:
    """Return the columns of a turn that is not stored yet, without its lease and its position."""
    return {
        "uid": turn.uid,
        "tenant": turn.tenant,
        "turn_id": turn.turn_id,
        "system_id": turn.system_id,
        "session_id": turn.session_id,
        "status": turn.status,
        "request": turn.request.SerializeToString(),
        "digest": turn.digest,
        "config": turn.config.SerializeToString(),
        "subject": turn.identity.subject,
        "scopes": json.dumps(sorted(turn.identity.scopes)),
        "trace": turn.trace,
        "owner": turn.owner,
        "attempt": turn.attempt,
        "last_sequence": turn.last_sequence,
        "started_at": turn.started_at,
    }


def turn_of(row: RowMapping) -> StoredTurn:
    """Return the turn of a row."""
    return StoredTurn(
        uid=row["uid"],
        tenant=row["tenant"],
        turn_id=row["turn_id"],
        system_id=row["system_id"],
        session_id=row["session_id"],
        position=row["position"],
        status=row["status"],
        request=AgenticSystemTurnCreateRequest.FromString(row["request"]),
        digest=row["digest"],
        config=AgenticSystemInstanceConfig.FromString(row["config"]),
        identity=Identity(row["subject"], row["tenant"], frozenset(json.loads(row["scopes"]))),
        started_at=row["started_at"],
        owner=row["owner"],
        attempt=row["attempt"],
        last_sequence=row["last_sequence"],
        output=None if row["output"] is None else CompletionMessage.FromString(row["output"]),
        error=None if row["error"] is None else TurnError.FromString(row["error"]),
        completed_at=row["completed_at"],
        trace=row["trace"],
    )


def step_of(step: Step) -> AnyStep:
    """Return the step itself out of the message that stands for any step."""
    found: AnyStep = getattr(step, str(step.WhichOneof("step")))
    return found


def type_of(step: Step) -> StepType.ValueType:
    """Return what a step does."""
    return _TYPES[str(step.WhichOneof("step"))]


def recorded(chunk: AgenticSystemTurnResponseStreamChunk) -> Step:
    """Return the step that an event completes."""
    return chunk.event.payload.step_complete.step_details


def files_to_bytes(files: Iterable[Attachment]) -> bytes | None:
    """Return files as the database holds them; None for none."""
    parts = [ContentPart(attachment=file) for file in files]
    return ContentParts(parts=parts).SerializeToString() if parts else None


def files_from_bytes(stored: bytes | None) -> list[Attachment]:
    """Return the files that the database holds."""
    return [part.attachment for part in ContentParts.FromString(stored).parts] if stored else []


def error_of(failure: MeshError) -> TurnError:
    """Return what is kept of the error that a turn ended with."""
    return TurnError(code=failure.code.value[0], reason=failure.reason, message=failure.message)


def failure_of(error: TurnError) -> MeshError:
    """Return the error that a turn ended with, for those who waited for its end."""
    reason = ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")
    details = [AnyMessage()]
    details[0].Pack(ErrorInfo(reason=reason, domain=DOMAIN))
    if error.reason in _RETRYABLE:
        details.append(AnyMessage())
        details[1].Pack(RetryInfo(retry_delay=Duration(seconds=1)))
    return from_status(Status(code=error.code, message=error.message, details=details))


def timestamp(seconds: float) -> Timestamp:
    """Return Unix seconds as a message."""
    made = Timestamp()
    made.FromDatetime(datetime.fromtimestamp(seconds, UTC))
    return made
