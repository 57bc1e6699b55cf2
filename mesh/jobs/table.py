"""The table of jobs, and how a row becomes a Job."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, RowMapping, String, Table, Text

from mesh.identity import Identity
from mesh.jobs.job import Job, State

METADATA: Final = MetaData()

JOBS: Final = Table(
    "mesh_jobs",
    METADATA,
    Column("queue", String(64), primary_key=True),
    Column("tenant", String(256), primary_key=True),
    Column("uuid", String(256), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("progress", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(256)),
    Column("lease_until", Float),
    Column("cancel_requested", Boolean, nullable=False),
    Column("error_reason", String(64), nullable=False),
    Column("error_message", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Index("mesh_jobs_by_state", "queue", "state", "created_at"),
)


def new_row(queue: str, job: Job, digest: str) -> dict[str, Any]:
    """Return the columns of a job that is not stored yet."""
    return {
        "queue": queue,
        "tenant": job.identity.tenant,
        "uuid": job.uuid,
        "kind": job.kind,
        "state": job.state.value,
        "subject": job.identity.subject,
        "scopes": json.dumps(sorted(job.identity.scopes)),
        "body": job.body,
        "body_sha256": digest,
        "progress": job.progress,
        "result": job.result,
        "attempt": job.attempt,
        "cancel_requested": job.cancel_requested,
        "error_reason": job.error_reason,
        "error_message": job.error_message,
        "created_at": job.created_at,
    }


def job_of(row: RowMapping) -> Job:
    """Return the job of a row."""
    return Job(
        uuid=row["uuid"],
        kind=row["kind"],
        state=State(row["state"]),
        identity=Identity(row["subject"], row["tenant"], frozenset(json.loads(row["scopes"]))),
        body=row["body"],
        progress=row["progress"],
        result=row["result"],
        attempt=row["attempt"],
        owner=row["owner"],
        lease_until=row["lease_until"],
        cancel_requested=row["cancel_requested"],
        error_reason=row["error_reason"],
        error_message=row["error_message"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
