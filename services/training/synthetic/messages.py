"""Generation jobs as the contract's messages."""

from __future__ import annotations

from typing import Final

from llamastack.common.v1 import job_pb2 as common
from llamastack.synthetic_data_generation.v1 import job_pb2 as pb
from mesh.jobs.job import Job, State
from services.training.datasets.messages import timestamp

_STATES: Final = {
    State.SCHEDULED: common.JOB_STATE_SCHEDULED,
    State.RUNNING: common.JOB_STATE_RUNNING,
    State.COMPLETED: common.JOB_STATE_COMPLETED,
    State.FAILED: common.JOB_STATE_FAILED,
    State.CANCELLED: common.JOB_STATE_CANCELLED,
}
_KINDS: Final = {number: state for state, number in _STATES.items()}


def job(found: Job, cancelled_by: str | None = None) -> pb.SyntheticDataJob:
    """Return the message for a job; ``cancelled_by`` is the subject that cancelled it, if one did."""
    made = pb.SyntheticDataJob.FromString(found.result or found.progress)
    made.job_uuid = found.uuid
    made.state = _STATES[found.state]
    made.scheduled_at.CopyFrom(timestamp(found.created_at))
    if found.started_at is not None:
        made.started_at.CopyFrom(timestamp(found.started_at))
    if found.finished_at is not None:
        made.completed_at.CopyFrom(timestamp(found.finished_at))
        made.prompts.ClearField("eta_seconds")
    if found.state is State.FAILED:
        made.failure = f"{found.error_reason}: {found.error_message}"
    if found.state is State.CANCELLED:
        made.failure = f"cancelled by {cancelled_by}" if cancelled_by else "cancelled"
    return made


def state(asked: common.JobState.ValueType) -> State | None:
    """Return the state that a filter asks for, None for all."""
    return _KINDS.get(asked)
