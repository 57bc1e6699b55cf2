"""``altiplano train``: jobs that train models, from a dataset in to a checkpoint in service."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import grpc.aio
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.curve import curve
from cli.failure import Failure
from cli.patience import Patience
from cli.training_request import Settings, request_of
from cli.where import NounGroup, Where, address_of
from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.post_training.v1 import checkpoint_pb2 as checkpoint_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1.post_training_service_pb2_grpc import PostTrainingServiceStub
from mesh.ids import new_id

if TYPE_CHECKING:
    from llamastack.post_training.v1.post_training_service_pb2_grpc import PostTrainingServiceAsyncStub

METHODS: Final = ("full", "lora", "qlora", "dora", "dpo", "grpo")
_FINAL: Final = (common_pb.JOB_STATE_COMPLETED, common_pb.JOB_STATE_FAILED, common_pb.JOB_STATE_CANCELLED)
_SERVING_S: Final = 900.0
_LOOK_S: Final = 1.0
_Result = TypeVar("_Result")


@click.group(cls=NounGroup)
@click.option("--address", help="host:port of the training service; default its own of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per item.")
@click.pass_context
def train(context: click.Context, address: str | None, as_json: bool) -> None:
    """Train models in jobs, follow them, and put what they make into service."""
    context.obj = Where(address_of("post_training", address), as_json)


@train.command()
@click.argument("model")
@click.argument("dataset")
@click.option(
    "--method", type=click.Choice(METHODS), default="lora", show_default=True, help="What is trained, and how."
)
@click.option("--validation", help="A dataset to watch the loss on; default the one that is learnt.")
@click.option("--lr", type=click.FloatRange(0, 10, min_open=True), default=2e-4, show_default=True)
@click.option("--lr-min", type=click.FloatRange(0, 10), default=0.0, show_default=True, help="The rate at the end.")
@click.option(
    "--epochs", type=click.IntRange(0), default=1, show_default=True, help="Passes over the data; 0: no bound."
)
@click.option("--steps", type=click.IntRange(0), default=0, help="Optimizer steps at most; 0 for no bound.")
@click.option("--batch-size", type=click.IntRange(1, 65536), default=8, show_default=True, help="Rows per step.")
@click.option("--rank", type=click.IntRange(1, 4096), default=16, show_default=True, help="Rank of adapters.")
@click.option("--alpha", type=click.IntRange(1), default=32, show_default=True, help="Scale of adapters times rank.")
@click.option("--reward", help='What answers are worth, for grpo, as in \'{"regex": {"pattern": "^yes"}}\'.')
@click.option("--workers", type=click.IntRange(1, 4096), default=1, show_default=True, help="Processes that train.")
@click.option("--seed", type=int, help="Makes the training repeatable.")
@click.option("--tensorboard", is_flag=True, help="Leave files for TensorBoard.")
@click.option("--job", help="The job's id; the same command with the same id again follows the same job.")
@click.option("--detach", is_flag=True, help="Start the job and do not follow it.")
@click.pass_obj
def run(where: Where, /, model: str, dataset: str, job: str | None, detach: bool, **given: Any) -> None:
    """Train MODEL on DATASET and follow the job.

    MODEL is a served model or the path of a checkpoint, DATASET a stored one, as in qa or qa@2. The job goes on if this
    command is interrupted.
    """
    uuid = job or new_id()
    request = request_of(uuid, Settings(model=model, dataset=dataset, **given))

    async def ask(stub: PostTrainingServiceAsyncStub) -> pb.PostTrainingJobStatusResponse | None:
        if given["method"] == "dpo":
            await stub.PreferenceOptimize(request)
        elif given["method"] == "grpo":
            await stub.ReinforcementFineTune(request)
        else:
            await stub.SupervisedFineTune(request)
        return None if detach else await _follow(stub, uuid, where)

    _conclude(where, uuid, _run(where, ask))


@train.command()
@click.argument("job")
@click.pass_obj
def follow(where: Where, job: str) -> None:
    """Follow JOB until its end."""
    _conclude(where, job, _run(where, lambda stub: _follow(stub, job, where)))


@train.command()
@click.argument("job")
@click.pass_obj
def status(where: Where, job: str) -> None:
    """Show where JOB is, with its curve so far."""

    async def ask(stub: PostTrainingServiceAsyncStub) -> tuple[Any, Any]:
        found = await stub.GetJobStatus(pb.GetPostTrainingJobStatusRequest(job_uuid=job))
        return found, await stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid=job))

    found, metrics = _run(where, ask)
    if where.as_json:
        click.echo(_json(found))
        return
    _describe(found)
    _plot([(point.step, point.values["loss"]) for point in metrics.metrics if "loss" in point.values])


@train.command("list")
@click.pass_obj
def list_jobs(where: Where) -> None:
    """List the jobs, newest first."""

    async def ask(stub: PostTrainingServiceAsyncStub) -> list[pb.PostTrainingJob]:
        found: list[pb.PostTrainingJob] = []
        token = ""
        while True:
            page = await stub.ListJobs(pb.ListPostTrainingJobsRequest(page_size=1000, page_token=token))
            found.extend(page.jobs)
            token = page.next_page_token
            if not token:
                return found

    found = _run(where, ask)
    if where.as_json:
        for job in found:
            click.echo(_json(job))
        return
    table = Table("job", "state", "kind", "model", "scheduled", box=None)
    for job in found:
        kind = pb.PostTrainingJobKind.Name(job.kind).removeprefix("POST_TRAINING_JOB_KIND_").lower()
        table.add_row(
            job.job_uuid, _state(job.state), kind, job.model, f"{job.scheduled_at.ToDatetime():%Y-%m-%d %H:%M}"
        )
    Console().print(table)


@train.command()
@click.argument("job")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job's end.")
@click.pass_obj
def logs(where: Where, job: str, following: bool) -> None:
    """Print the log of JOB."""

    async def ask(stub: PostTrainingServiceAsyncStub) -> None:
        request = pb.GetPostTrainingJobLogsRequest(job_uuid=job)
        if following:
            async for part in stub.FollowJobLogs(request):
                click.echo("\n".join(part.log_lines))
        else:
            click.echo("\n".join((await stub.GetJobLogs(request)).log_lines))

    _run(where, ask)


@train.command()
@click.argument("job")
@click.pass_obj
def cancel(where: Where, job: str) -> None:
    """End JOB; what it has written stays."""

    async def ask(stub: PostTrainingServiceAsyncStub) -> None:
        await stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid=job))

    _run(where, ask)


@train.command()
@click.argument("job")
@click.option("--checkpoint", help="The checkpoint to go on from; default the last one.")
@click.option("--detach", is_flag=True, help="Do not follow the job.")
@click.pass_obj
def resume(where: Where, job: str, checkpoint: str | None, detach: bool) -> None:
    """Have a failed or cancelled JOB go on."""

    async def ask(stub: PostTrainingServiceAsyncStub) -> pb.PostTrainingJobStatusResponse | None:
        await stub.ResumeJob(pb.ResumePostTrainingJobRequest(job_uuid=job, checkpoint_id=checkpoint))
        return None if detach else await _follow(stub, job, where)

    _conclude(where, job, _run(where, ask))


@train.command()
@click.argument("job")
@click.argument("model")
@click.option("--checkpoint", help="The checkpoint; default the last one.")
@click.option("--base", help="The served model that an adapter is loaded onto; default the one that was trained.")
@click.pass_obj
def serve(where: Where, job: str, model: str, checkpoint: str | None, base: str | None) -> None:
    """Serve the last checkpoint of JOB as MODEL."""
    request = checkpoint_pb.RegisterCheckpointRequest(
        job_uuid=job, checkpoint_id=checkpoint, model_id=model, base_model=base
    )

    async def ask(stub: PostTrainingServiceAsyncStub) -> checkpoint_pb.RegisterCheckpointResponse:
        return await stub.RegisterCheckpoint(request, timeout=_SERVING_S)

    made = _run(where, ask)
    onto = f" on {made.base_model}" if made.HasField("base_model") else ""
    click.echo(_json(made) if where.as_json else f"{made.model_id}{onto}: {made.checkpoint.checkpoint_id}")


@train.command()
@click.argument("checkpoint")
@click.pass_obj
def lineage(where: Where, checkpoint: str) -> None:
    """Tell where CHECKPOINT comes from, as JSON."""

    async def ask(stub: PostTrainingServiceAsyncStub) -> checkpoint_pb.Lineage:
        return await stub.GetLineage(checkpoint_pb.GetLineageRequest(checkpoint_id=checkpoint))

    click.echo(_json(_run(where, ask)))


async def _follow(stub: PostTrainingServiceAsyncStub, uuid: str, where: Where) -> pb.PostTrainingJobStatusResponse:
    """Show how a job goes on until its end, then its curve, and return where it is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    asked, patience = pb.GetPostTrainingJobStatusRequest(job_uuid=uuid), Patience()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(uuid, total=None, told="waiting")
        while True:
            try:
                found = await stub.GetJobStatus(asked)
            except grpc.aio.AioRpcError as error:
                bar.update(task, told="the service is away")
                await patience.bear(error)
                continue
            patience.answered()
            steps = found.progress.steps
            bar.update(task, completed=steps.done, total=steps.total or None, told=_told(found))
            if found.state in _FINAL:
                break
            await asyncio.sleep(_LOOK_S)
    if not where.as_json:
        metrics = (await stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid=uuid))).metrics
        _plot([(point.step, point.values["loss"]) for point in metrics if "loss" in point.values])
    return found


def _told(found: pb.PostTrainingJobStatusResponse) -> str:
    progress = found.progress
    if not progress.HasField("loss"):
        return _state(found.state)
    return f"loss {progress.loss:.4g}, {progress.tokens_per_second:,.0f} tokens/s"


def _plot(points: list[tuple[float, float]]) -> None:
    for line in curve([point for point in points if math.isfinite(point[1])]):
        click.echo(line)


def _conclude(where: Where, uuid: str, found: pb.PostTrainingJobStatusResponse | None) -> None:
    """Print what a job has come to; a job that failed is a failure of the command."""
    if found is None:
        click.echo(uuid)
        return
    if where.as_json:
        click.echo(_json(found))
    else:
        _describe(found)
    if found.state != common_pb.JOB_STATE_COMPLETED:
        raise Failure(f"job {uuid} {_state(found.state)}: {found.failure}")


def _describe(found: pb.PostTrainingJobStatusResponse) -> None:
    progress = found.progress
    click.echo(f"job {found.job_uuid} {_state(found.state)}, step {progress.steps.done} of {progress.steps.total}")
    for checkpoint in found.checkpoints:
        click.echo(f"{checkpoint.checkpoint_id}  step {checkpoint.iters}  {Path(checkpoint.path.uri).name}")


def _state(state: common_pb.JobState.ValueType) -> str:
    return common_pb.JobState.Name(state).removeprefix("JOB_STATE_").lower()


def _run(where: Where, ask: Callable[[PostTrainingServiceAsyncStub], Coroutine[Any, Any, _Result]]) -> _Result:
    return where.ask(lambda channel: ask(PostTrainingServiceStub(channel)))


def _json(message: Message) -> str:
    return json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
