"""The domain's values as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.evaluations.v1 import comparison_pb2
from llamastack.evaluations.v1 import job_pb2 as pb
from mesh.jobs.job import Job, State
from services.eval.evaluations import kinds
from services.eval.evaluations.estimates import Difference, Estimate, lower_is_better

STATES: Final = {
    State.SCHEDULED: common_pb.JOB_STATE_SCHEDULED,
    State.RUNNING: common_pb.JOB_STATE_RUNNING,
    State.COMPLETED: common_pb.JOB_STATE_COMPLETED,
    State.FAILED: common_pb.JOB_STATE_FAILED,
    State.CANCELLED: common_pb.JOB_STATE_CANCELLED,
}


def job(known: Job) -> pb.EvaluationJob:
    """Return a job."""
    request = kinds.read(known.kind, known.body)
    return pb.EvaluationJob(
        job_uuid=known.uuid,
        state=STATES[known.state],
        kind=kinds.number(known.kind),
        checkpoint=kinds.facts(known.kind, request).checkpoint,
        scheduled_at=time(known.created_at),
    )


def metric_messages(found: Mapping[str, Estimate]) -> dict[str, pb.MetricEstimate]:
    """Return estimates by the metric's name, those without any sample left out."""
    return {
        name: pb.MetricEstimate(
            value=one.value,
            low=one.low,
            high=one.high,
            num_samples=one.samples,
            lower_is_better=lower_is_better(name),
        )
        for name, one in found.items()
        if one.samples
    }


def comparison(name: str, found: Difference) -> comparison_pb2.MetricComparison:
    """Return the difference of a metric with what it means."""
    verdict = comparison_pb2.COMPARISON_VERDICT_UNDECIDED
    better = found.high < 0 if lower_is_better(name) else found.low > 0
    worse = found.low > 0 if lower_is_better(name) else found.high < 0
    if better:
        verdict = comparison_pb2.COMPARISON_VERDICT_BETTER
    elif worse:
        verdict = comparison_pb2.COMPARISON_VERDICT_WORSE
    return comparison_pb2.MetricComparison(
        baseline=found.baseline,
        candidate=found.candidate,
        difference=found.candidate - found.baseline,
        low=found.low,
        high=found.high,
        num_pairs=found.pairs,
        verdict=verdict,
    )


def time(seconds: float | None) -> Timestamp | None:
    """Return Unix seconds as a message, None for None."""
    if seconds is None:
        return None
    made = Timestamp()
    made.FromMicroseconds(int(seconds * 1e6))
    return made
