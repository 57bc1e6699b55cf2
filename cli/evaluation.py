"""``altiplano eval``: evaluation jobs, from start to report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import grpc.aio
from google.protobuf import json_format
from rich.console import Console
from rich.table import Table

from cli.failure import USAGE, Failure
from cli.patience import Patience
from cli.where import NounGroup, Where, address_of
from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.evaluations.v1 import comparison_pb2, job_pb2
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2 as pb
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.observability.v1.artifact_pb2 import DownloadArtifactRequest
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from llamastack.reward_scoring.v1.reward_pb2 import JudgeReward
from mesh.ids import new_id

if TYPE_CHECKING:
    from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceAsyncStub
    from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceAsyncStub

KINDS: Final[dict[str, tuple[str, type[Any]]]] = {
    "question_answering": ("EvaluateQuestionAnswering", pb.EvaluateQuestionAnsweringRequest),
    "summarization": ("EvaluateSummarization", pb.EvaluateSummarizationRequest),
    "text_generation": ("EvaluateTextGeneration", pb.EvaluateTextGenerationRequest),
    "tool_calling": ("EvaluateToolCalling", more.EvaluateToolCallingRequest),
    "retrieval": ("EvaluateRetrieval", more.EvaluateRetrievalRequest),
    "judge": ("EvaluateWithJudge", more.EvaluateWithJudgeRequest),
    "safety": ("EvaluateSafety", more.EvaluateSafetyRequest),
    "harness": ("EvaluateHarness", more.EvaluateHarnessRequest),
}
METRICS: Final = {
    "question_answering": {"em": 1, "f1": 2},
    "summarization": {"rouge": 1, "bleu": 2},
    "text_generation": {"perplexity": 1, "rouge": 2, "bleu": 3},
}
_VERDICTS: Final = {
    comparison_pb2.COMPARISON_VERDICT_BETTER: "[green]better[/]",
    comparison_pb2.COMPARISON_VERDICT_WORSE: "[red]worse[/]",
    comparison_pb2.COMPARISON_VERDICT_UNDECIDED: "undecided",
}
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Stubs:
    """The two services that a command calls."""

    jobs: EvaluationsServiceAsyncStub
    record: ObservabilityServiceAsyncStub


@click.group("eval", cls=NounGroup)
@click.option("--address", help="host:port of the evaluation service; default its own of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def evaluation(context: click.Context, address: str | None, as_json: bool) -> None:
    """Evaluate models, compare the results, get the reports."""
    context.obj = Where(address_of("evaluations", address), as_json)


@evaluation.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option("--dataset", help="A stored dataset as UUID or UUID@REVISION, or a URL of its rows.")
@click.option("--model", help="The served model.")
@click.option("--checkpoint", help="A checkpoint by its id, instead of a model.")
@click.option("--metric", "metrics", multiple=True, help="What is measured, repeatable; default everything.")
@click.option("--bank", "banks", multiple=True, help="retrieval: a memory bank, repeatable.")
@click.option("--shield", "shields", multiple=True, help="safety: a shield, repeatable.")
@click.option("--judge", help="judge, safety: the model that judges.")
@click.option("--rubric", default="Is the answer right, complete and clear?", help="judge: what makes an answer good.")
@click.option("--task", help="harness: the task.")
@click.option("--samples", default=0, type=click.IntRange(min=0), help="Rows at most; default all.")
@click.option("--concurrency", default=16, show_default=True, type=click.IntRange(1, 1024), help="Samples at once.")
@click.option("--max-tokens", default=256, show_default=True, type=click.IntRange(min=1), help="Length of answers.")
@click.option("--job", help="The job's id; the same one again goes on with the same job. Default a new one.")
@click.pass_obj
def run(where: Where, /, kind: str, job: str | None, **given: Any) -> None:
    """Evaluate KIND and print the metrics; Ctrl-C leaves the job running."""
    request = _request(kind, job or new_id(), given)
    status = _run(where, lambda stubs: _followed(stubs, kind, request, quiet=where.as_json))
    if where.as_json:
        click.echo(_json(status))
    else:
        _print_metrics(status.job_uuid, status.metrics)
    if status.state != common_pb.JOB_STATE_COMPLETED:
        raise Failure(f"job {status.job_uuid} did not complete: {status.failure or 'it was given up'}")


@evaluation.command()
@click.argument("baseline")
@click.argument("candidate")
@click.option("--samples", default=5, show_default=True, type=click.IntRange(1, 1000), help="Sample pairs to show.")
@click.pass_obj
def compare(where: Where, baseline: str, candidate: str, samples: int) -> None:
    """Compare the jobs BASELINE and CANDIDATE sample by sample."""
    request = comparison_pb2.CompareEvaluationJobsRequest(
        baseline_job_uuid=baseline, candidate_job_uuid=candidate, max_samples=samples
    )

    async def ask(stubs: Stubs) -> comparison_pb2.CompareEvaluationJobsResponse:
        return await stubs.jobs.CompareJobs(request)

    found = _run(where, ask)
    if where.as_json:
        click.echo(_json(found))
        return
    console, table = Console(), Table("metric", "baseline", "candidate", "difference", "interval", "verdict")
    for name in sorted(found.metrics):
        one = found.metrics[name]
        numbers = (f"{one.baseline:.4f}", f"{one.candidate:.4f}", f"{one.difference:+.4f}")
        table.add_row(name, *numbers, f"{one.low:+.4f} to {one.high:+.4f}", _VERDICTS[one.verdict])
    console.print(table)
    for pair in found.samples:
        changes = ", ".join(f"{name} {value:+.3g}" for name, value in sorted(pair.differences.items()))
        click.secho(f"\nsample {pair.baseline.index}: {changes}", bold=True)
        click.echo(f"- {pair.baseline.output}\n+ {pair.candidate.output}")


@evaluation.command()
@click.argument("job")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder for the files; default the job's id.")
@click.pass_obj
def report(where: Where, job: str, folder: Path | None) -> None:
    """Print the metrics of JOB and fetch its files."""
    target = folder or Path(job.replace("/", "_"))

    async def fetch(stubs: Stubs) -> job_pb2.EvaluationJobArtifactsResponse:
        found = await stubs.jobs.GetJobArtifacts(job_pb2.GetEvaluationJobArtifactsRequest(job_uuid=job))
        for file in found.files:
            await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
            # a name is the service's, but where it is written is decided here
            with (target / Path(file.name).name).open("wb") as out:
                async for piece in stubs.record.DownloadArtifact(DownloadArtifactRequest(artifact_id=file.artifact_id)):
                    await asyncio.to_thread(out.write, piece.chunk)
        return found

    found = _run(where, fetch)
    if where.as_json:
        click.echo(_json(found))
        return
    _print_metrics(job, found.metrics)
    for file in found.files:
        click.echo(f"{target / Path(file.name).name}  {file.size_bytes:,} bytes")
    if not found.files:
        click.echo("The job is not completed, its files come with its end.", err=True)


def _request(kind: str, job: str, given: Mapping[str, Any]) -> Any:
    """Return the request of a kind, from what the command line gives.

    Raises:
        Failure: something is missing that the kind needs, or a metric is not one of it.
    """
    options = pb.EvaluationOptions(max_samples=given["samples"], concurrency=given["concurrency"])
    request = KINDS[kind][1](job_uuid=job, options=options)
    fields = request.DESCRIPTOR.fields_by_name
    if kind == "harness":
        request.task = _needed(given, "task", kind)
    else:
        request.dataset.CopyFrom(_dataset(_needed(given, "dataset", kind)))
    if "checkpoint" in fields and (given["model"] or given["checkpoint"]):
        request.checkpoint.CopyFrom(Checkpoint(model=given["model"], checkpoint_id=given["checkpoint"]))
    elif "checkpoint" in fields and kind != "safety":
        raise Failure("--model or --checkpoint: one of them is needed", USAGE)
    if "sampling_params" in fields:
        request.sampling_params.CopyFrom(SamplingParams(max_tokens=given["max_tokens"]))
    if kind in METRICS:
        request.metrics.extend(_metrics(kind, given["metrics"]))
    elif kind == "retrieval":
        request.memory_bank_ids.extend(given["banks"])
    elif kind == "safety":
        request.shield_types.extend(given["shields"])
        if given["judge"]:
            request.judge_model = given["judge"]
    elif kind == "judge":
        request.judge.CopyFrom(JudgeReward(model=_needed(given, "judge", kind), rubric=given["rubric"]))
    return request


def _needed(given: Mapping[str, Any], option: str, kind: str) -> str:
    if not given[option]:
        raise Failure(f"--{option}: an evaluation of {kind} needs it", USAGE)
    return str(given[option])


def _dataset(named: str) -> TrainEvalDataset:
    uri = named if ":" in named else f"dataset:{named}"
    if not uri.startswith("dataset:"):
        raise Failure("--dataset: store the rows first and give the dataset's id, its columns are known then", USAGE)
    return TrainEvalDataset(content_url=Url(uri=uri))


def _metrics(kind: str, named: Sequence[str]) -> Sequence[int]:
    known = METRICS[kind]
    for name in named:
        if name not in known:
            raise Failure(f"--metric {name}: {kind} has {', '.join(known)}", USAGE)
    return [known[name] for name in dict.fromkeys(named)] or list(known.values())


async def _followed(stubs: Stubs, kind: str, request: Any, *, quiet: bool) -> job_pb2.EvaluationJobStatusResponse:
    """Start a job, show its log until it ends, and return where it is then."""
    job: job_pb2.EvaluationJob = await getattr(stubs.jobs, KINDS[kind][0])(request)
    follow, patience = job_pb2.GetEvaluationJobLogsRequest(job_uuid=job.job_uuid), Patience()
    while True:
        try:
            async for some in stubs.jobs.FollowJobLogs(follow):
                patience.answered()
                follow.after_sequence = some.last_sequence
                for line in () if quiet else some.log_lines:
                    click.echo(line, err=True)
            return await stubs.jobs.GetJobStatus(job_pb2.GetEvaluationJobStatusRequest(job_uuid=job.job_uuid))
        except grpc.aio.AioRpcError as error:
            await patience.bear(error)


def _print_metrics(job: str, metrics: Mapping[str, job_pb2.MetricEstimate]) -> None:
    table = Table("metric", "value", "interval", "samples", title=f"job {job}", title_justify="left")
    for name in sorted(metrics):
        one = metrics[name]
        interval = f"{one.low:.4f} to {one.high:.4f}" if one.HasField("low") else "-"
        table.add_row(name, f"{one.value:.4f}", interval, f"{one.num_samples:,}")
    Console().print(table)


def _run(where: Where, ask: Callable[[Stubs], Coroutine[Any, Any, _Result]]) -> _Result:
    return where.ask(lambda channel: ask(Stubs(EvaluationsServiceStub(channel), ObservabilityServiceStub(channel))))


def _json(message: Any) -> str:
    found = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(found, ensure_ascii=False)
