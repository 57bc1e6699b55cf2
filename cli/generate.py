"""``altiplano generate``: answers to prompts, scored and filtered, on the screen or as a dataset."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
import grpc.aio
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.access import client
from cli.deployables import serving
from cli.failure import USAGE, Failure, failure_of
from cli.patience import Patience
from gateway.app import load_contract
from gateway.codec.codec import Codec
from gateway.codec.errors import CodecError
from llamastack.common.v1 import job_pb2
from llamastack.common.v1.content_pb2 import Content, Url
from llamastack.common.v1.message_pb2 import Message as DialogMessage
from llamastack.common.v1.message_pb2 import UserMessage
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction, RewardModel
from llamastack.synthetic_data_generation.v1 import job_pb2 as jobs_pb
from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2 as pb
from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
    SyntheticDataGenerationServiceStub,
)
from mesh.errors import from_rpc
from mesh.ids import new_id
from mesh.json_text import write

if TYPE_CHECKING:
    from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
        SyntheticDataGenerationServiceAsyncStub,
    )

_FUNCTION: Final = "FILTERING_FUNCTION_"
_LAYOUT: Final = "OUTPUT_LAYOUT_"
FUNCTIONS: Final = [name.removeprefix(_FUNCTION).lower() for name, number in pb.FilteringFunction.items() if number]
LAYOUTS: Final = [name.removeprefix(_LAYOUT).lower() for name, number in jobs_pb.OutputLayout.items() if number]
_CALL_S: Final = 3600.0
_LOOK_S: Final = 1.0
_FINAL: Final = (job_pb2.JOB_STATE_COMPLETED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be generated: how, from which prompts, and into which dataset if it is a job."""

    function: pb.FilteringFunction.ValueType
    settings: pb.GenerationSettings
    model: str | None
    as_json: bool


@click.command()
@click.argument("dataset", required=False)
@click.argument("output", required=False)
@click.option("--prompt", "prompts", multiple=True, help="Answer this on the screen instead of a dataset.")
@click.option("--filter", "function", type=click.Choice(FUNCTIONS), default="none", show_default=True)
@click.option("--k", type=click.IntRange(1, 4096), help="Answers that stay, for random, top_k and top_k_top_p.")
@click.option("--p", type=click.FloatRange(0, 1, min_open=True), help="Mass that stays, for top_p and top_k_top_p.")
@click.option("--threshold", type=float, help="The score at which the sigmoid is one half.")
@click.option("--scale", type=click.FloatRange(0, min_open=True), help="Divides the scores.")
@click.option("--samples", type=click.IntRange(1, 256), help="Answers per prompt; default 4.")
@click.option("--reward-model", help="The reward model that scores.")
@click.option("--reward", help='Scores otherwise, as in \'{"regex": {"pattern": "^yes"}}\'.')
@click.option("--model", help="The model that answers; default the service's.")
@click.option("--seed", type=int, help="Makes sampling and filtering repeatable.")
@click.option("--keep-duplicates", is_flag=True, help="Keep answers that repeat another one.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="dialogs", show_default=True, help="What a row is.")
@click.option("--max-prompts", default=0, type=click.IntRange(0), help="Prompts at most; 0 is all.")
@click.option("--job", help="The job's id; the same command with the same id again follows the same job.")
@click.option("--address", help="host:port of the training service; default its own of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def generate(dataset: str | None, output: str | None, prompts: tuple[str, ...], **given: Any) -> None:
    """Answer the prompts of DATASET and write the answers that stay into the dataset OUTPUT.

    DATASET is a stored one, as in qa or qa@2. The job goes on if this command is interrupted.
    """
    service = serving("synthetic_data_generation")
    address = given["address"] or (service.address if service else "")
    asked = Asked(
        pb.FilteringFunction.Value(f"{_FUNCTION}{given['function'].upper()}"),
        _settings(given),
        given["model"],
        given["as_json"],
    )
    if prompts:
        if dataset is not None:
            raise Failure("--prompt: give prompts or a dataset, not both", USAGE)
        asyncio.run(_connected(address, lambda stub: _answer(stub, prompts, asked)))
        return
    if dataset is None or output is None:
        raise Failure("a dataset of prompts and a dataset to write are needed, or --prompt", USAGE)
    request = jobs_pb.CreateSyntheticDataJobRequest(
        job_uuid=given["job"] or new_id(),
        dataset=TrainEvalDataset(content_url=Url(uri=f"dataset:{dataset}")),
        filtering_function=asked.function,
        model=asked.model,
        settings=asked.settings,
        output_dataset_uuid=output,
        output_layout=jobs_pb.OutputLayout.Value(f"{_LAYOUT}{given['layout'].upper()}"),
        max_prompts=given["max_prompts"],
    )
    asyncio.run(_connected(address, lambda stub: _follow(stub, request, asked)))


def _settings(given: dict[str, Any]) -> pb.GenerationSettings:
    params = pb.FilteringParams(k=given["k"], p=given["p"], threshold=given["threshold"], scale=given["scale"])
    return pb.GenerationSettings(
        num_samples=given["samples"],
        filtering_params=params,
        seed=given["seed"],
        deduplicate=False if given["keep_duplicates"] else None,
        reward=_reward(given["reward"], given["reward_model"]),
    )


def _reward(text: str | None, model: str | None) -> RewardFunction | None:
    if text is None:
        return RewardFunction(reward_model=RewardModel(model=model)) if model else None
    if model is not None:
        raise Failure("--reward: give this or --reward-model, not both", USAGE)
    try:
        decode = Codec(load_contract().pool).decoder(RewardFunction.DESCRIPTOR.full_name)
        return RewardFunction.FromString(decode(text.encode()))
    except CodecError as error:
        raise Failure(f"--reward: {error}", USAGE) from error


async def _answer(stub: SyntheticDataGenerationServiceAsyncStub, prompts: tuple[str, ...], asked: Asked) -> None:
    request = pb.SyntheticDataGenerationRequest(
        dialogs=[DialogMessage(user=UserMessage(content=Content(text=text))) for text in prompts],
        filtering_function=asked.function,
        model=asked.model,
        settings=asked.settings,
    )
    with Console(stderr=True).status("generating"):
        response = await stub.Generate(request, timeout=_CALL_S)
    if asked.as_json:
        click.echo(_json(response))
        return
    for scored in response.synthetic_data:
        click.secho(scored.dialog[-1].user.content.text, bold=True)
        for generation in scored.scored_generations:
            click.echo(f"{generation.score:10.4g}  {generation.message.completion.content.text}")
    _print_statistics(response.statistics)


async def _follow(
    stub: SyntheticDataGenerationServiceAsyncStub, request: jobs_pb.CreateSyntheticDataJobRequest, asked: Asked
) -> None:
    job = await stub.CreateJob(request, timeout=_CALL_S)
    console, patience = Console(stderr=True), Patience()
    console.print(f"job {job.job_uuid}", markup=False, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("prompts", total=None)
        while job.state not in _FINAL:
            await asyncio.sleep(_LOOK_S)
            try:
                job = await stub.GetJobStatus(jobs_pb.GetSyntheticDataJobRequest(job_uuid=job.job_uuid))
            except grpc.aio.AioRpcError as error:
                await patience.bear(error)
                continue
            patience.answered()
            total = job.prompts.total if job.prompts.HasField("total") else None
            bar.update(task, completed=job.prompts.done, total=total)
    if asked.as_json:
        click.echo(_json(job))
    if job.state != job_pb2.JOB_STATE_COMPLETED:
        raise Failure(f"job {job.job_uuid}: {job.failure}")
    if not asked.as_json:
        click.echo(f"{job.output.dataset_uuid}@{job.output.revision}  {job.output.num_rows} rows")
        _print_statistics(job.statistics)


def _print_statistics(statistics: Any) -> None:
    for name in sorted(statistics):
        click.echo(f"{name:18} {write(statistics[name])}")


async def _connected(address: str, ask: Any) -> None:
    async with client() as calls:
        try:
            await ask(SyntheticDataGenerationServiceStub(calls.channel(address)))
        except grpc.aio.AioRpcError as error:
            raise failure_of(from_rpc(error), address) from error


def _json(message: Message) -> str:
    encode = Codec(load_contract().pool).encoder(message.DESCRIPTOR.full_name)
    return encode(message.SerializeToString()).decode()
