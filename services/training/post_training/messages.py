"""What is known of jobs and checkpoints as messages of the contract."""

from __future__ import annotations

import mimetypes
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.post_training.v1 import checkpoint_pb2 as checkpoint_pb
from llamastack.post_training.v1 import job_pb2 as pb
from mesh.jobs.job import Job, State
from services.training.post_training import history
from services.training.post_training.history import Point
from services.training.post_training.jobs import Status
from services.training.post_training.lineage import Origin, Source
from services.training.post_training.places import name_of
from services.training.post_training.reporting import artifact_ids
from services.training.post_training.requests import wanted_model
from services.training.post_training.submitted import kind, request_of
from services.training.post_training.supervision import submission
from services.training.recipe.folder import Saved
from services.training.recipe.spec import Kind

STATES: Final = {
    State.SCHEDULED: common_pb.JOB_STATE_SCHEDULED,
    State.RUNNING: common_pb.JOB_STATE_RUNNING,
    State.COMPLETED: common_pb.JOB_STATE_COMPLETED,
    State.FAILED: common_pb.JOB_STATE_FAILED,
    State.CANCELLED: common_pb.JOB_STATE_CANCELLED,
}
_WORDS: Final = {
    State.SCHEDULED: pb.POST_TRAINING_JOB_STATUS_SCHEDULED,
    State.RUNNING: pb.POST_TRAINING_JOB_STATUS_RUNNING,
    State.COMPLETED: pb.POST_TRAINING_JOB_STATUS_COMPLETED,
    State.FAILED: pb.POST_TRAINING_JOB_STATUS_FAILED,
    State.CANCELLED: pb.POST_TRAINING_JOB_STATUS_FAILED,
}
KINDS: Final = {
    Kind.SFT: pb.POST_TRAINING_JOB_KIND_SUPERVISED_FINE_TUNE,
    Kind.DPO: pb.POST_TRAINING_JOB_KIND_PREFERENCE_OPTIMIZE,
    Kind.GRPO: pb.POST_TRAINING_JOB_KIND_REINFORCEMENT_FINE_TUNE,
}


def job(found: Job) -> pb.PostTrainingJob:
    """Return a job."""
    return pb.PostTrainingJob(
        job_uuid=found.uuid,
        state=STATES[found.state],
        kind=KINDS[kind(found)],
        model=wanted_model(request_of(found)),
        scheduled_at=_time(found.created_at),
    )


def status(found: Status) -> pb.PostTrainingJobStatusResponse:
    """Return where a job is."""
    row = found.job
    made = pb.PostTrainingJobStatusResponse(
        job_uuid=row.uuid,
        status=_WORDS[row.state],
        scheduled_at=_time(row.created_at),
        checkpoints=[checkpoint(saved, row.uuid) for saved in found.checkpoints],
        state=STATES[row.state],
        progress=_progress(found),
        attempts=max(found.starts, found.progress.number),
        kind=KINDS[found.spec.kind],
    )
    if row.started_at is not None:
        made.started_at.CopyFrom(_time(row.started_at))
        workers = found.spec.workers
        resources = {
            "num_workers": JsonValue(integer_value=workers.count),
            "cpus": JsonValue(number_value=workers.count * workers.cpus),
            "gpus": JsonValue(number_value=workers.count * workers.gpus),
            "ray_job_id": JsonValue(string_value=submission(row, max(1, found.progress.number))),
        }
        for name, value in resources.items():
            made.resources_allocated[name].CopyFrom(value)
    if row.finished_at is not None:
        made.completed_at.CopyFrom(_time(row.finished_at))
    if found.progress.run_id is not None:
        made.run_id = found.progress.run_id
    if row.state is State.FAILED:
        made.failure = row.error_message
    elif row.state is State.CANCELLED:
        made.failure = "cancelled by request"
    return made


def _progress(found: Status) -> pb.TrainingProgress:
    points = found.points
    trained = [each for each in points if "loss" in each.values]
    watched = [each for each in points if "validation_loss" in each.values]
    last = trained[-1] if trained else None
    made = pb.TrainingProgress(
        steps=common_pb.JobProgress(
            done=last.step if last is not None else 0, total=last.steps if last is not None else found.origin.steps
        )
    )
    if last is not None:
        made.epoch, made.tokens = last.epoch, last.tokens
        made.loss = last.values["loss"]
        for name in ("learning_rate", "tokens_per_second"):
            if name in last.values:
                setattr(made, name, last.values[name])
    if watched:
        made.validation_loss = watched[-1].values["validation_loss"]
    eta = None if found.job.state.final else history.remaining(points)
    if eta is not None:
        made.steps.eta_seconds = eta
    return made


def checkpoint(saved: Saved, job_uuid: str, model: str | None = None) -> checkpoint_pb.Checkpoint:
    """Return a checkpoint."""
    return checkpoint_pb.Checkpoint(
        iters=saved.iters,
        epoch=saved.epoch,
        path=Url(uri=saved.path.as_uri()),
        checkpoint_id=name_of(saved.path),
        model=model,
        job_uuid=job_uuid,
        metrics=saved.metrics,
        created_at=_time(saved.created_at),
        size_bytes=saved.size_bytes,
    )


def kind_of(saved: Saved) -> checkpoint_pb.CheckpointKind.ValueType:
    """Return what a checkpoint holds."""
    return checkpoint_pb.CHECKPOINT_KIND_ADAPTER if saved.adapter else checkpoint_pb.CHECKPOINT_KIND_FULL


def metrics(point: Point) -> pb.TrainingMetrics:
    """Return what was measured at one step."""
    return pb.TrainingMetrics(
        sequence=point.sequence,
        step=point.step,
        epoch=point.epoch,
        timestamp=_time(point.time),
        values=point.values,
    )


def artifacts(found: Status) -> pb.PostTrainingJobArtifactsResponse:
    """Return what a job has left so far."""
    ids = artifact_ids(found.folder)
    files = found.folder.files.iterdir() if found.folder.files.is_dir() else iter(())
    return pb.PostTrainingJobArtifactsResponse(
        job_uuid=found.job.uuid,
        checkpoints=[checkpoint(saved, found.job.uuid) for saved in found.checkpoints],
        files=[
            pb.TrainingArtifact(
                artifact_id=ids.get(file.name, ""),
                name=file.name,
                mime_type=mimetypes.guess_type(file.name)[0] or "application/octet-stream",
                url=Url(uri=file.as_uri()),
                size_bytes=file.stat().st_size,
            )
            for file in sorted(files)
            if file.is_file()
        ],
    )


def lineage(saved: Saved, job_uuid: str, origin: Origin, run_id: str | None) -> checkpoint_pb.Lineage:
    """Return where a checkpoint comes from."""
    return checkpoint_pb.Lineage(
        checkpoint=checkpoint(saved, job_uuid),
        kind=kind_of(saved),
        base_model=origin.model,
        parent_checkpoint_id=origin.parent,
        dataset=_dataset(origin.dataset),
        validation_dataset=None if origin.validation is None else _dataset(origin.validation),
        run_id=run_id,
        code_version=origin.code_version,
        config_hash=origin.config_hash,
    )


def _dataset(source: Source) -> checkpoint_pb.DatasetReference:
    return checkpoint_pb.DatasetReference(
        dataset_uuid=source.dataset_uuid,
        revision=source.revision,
        content_url=None if source.url is None else Url(uri=source.url),
        content_hash=source.content_hash,
    )


def _time(seconds: float) -> Timestamp:
    made = Timestamp()
    made.FromNanoseconds(int(seconds * 1e9))
    return made
