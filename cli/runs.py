"""``altiplano runs``: what jobs have reported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import grpc.aio
from google.protobuf import json_format
from rich.console import Console
from rich.table import Column, Table

from cli.access import client
from cli.deployables import serving
from cli.failure import failure_of
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.observability.v1 import experiment_pb2, metric_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from mesh.errors import from_rpc
from mesh.json_text import write

if TYPE_CHECKING:
    from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceAsyncStub

_Result = TypeVar("_Result")


@click.command()
@click.argument("run", required=False)
@click.option("--address", help="host:port of the evaluation service; default its own of this machine.")
@click.option("--experiment", help="Runs of this experiment alone, by its id.")
@click.option("--status", help="Runs with this status alone: running, completed, failed, cancelled.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Runs at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per item.")
def runs(
    run: str | None, address: str | None, experiment: str | None, status: str | None, limit: int, as_json: bool
) -> None:
    """List the newest runs, or print what is known about RUN with its measurements."""
    service = serving("observability")
    where = address or (service.address if service else "")
    if run is None:
        request = experiment_pb2.ListRunsRequest(experiment_id=experiment, status=status, page_size=limit)
        _show_list(asyncio.run(_listed(where, request)), as_json)
    else:
        known, metrics = asyncio.run(_known(where, run))
        _show_run(known, metrics, as_json)


async def _listed(where: str, request: experiment_pb2.ListRunsRequest) -> Sequence[experiment_pb2.Run]:
    async def ask(stub: ObservabilityServiceAsyncStub) -> Sequence[experiment_pb2.Run]:
        return list((await stub.ListRuns(request)).runs)

    return await _asked(where, ask)


async def _known(where: str, run: str) -> tuple[experiment_pb2.Run, Sequence[metric_pb2.Metric]]:
    async def ask(stub: ObservabilityServiceAsyncStub) -> tuple[experiment_pb2.Run, Sequence[metric_pb2.Metric]]:
        known = await stub.GetRun(experiment_pb2.GetRunRequest(run_id=run))
        metrics: list[metric_pb2.Metric] = []
        request = metric_pb2.GetMetricsRequest(run_id=run, page_size=1000)
        while True:
            page = await stub.GetMetrics(request)
            metrics += page.metrics
            if not page.next_page_token:
                return known, metrics
            request.page_token = page.next_page_token

    return await _asked(where, ask)


async def _asked(where: str, ask: Callable[[ObservabilityServiceAsyncStub], Coroutine[Any, Any, _Result]]) -> _Result:
    async with client() as calls:
        try:
            return await ask(ObservabilityServiceStub(calls.channel(where)))
        except grpc.aio.AioRpcError as error:
            raise failure_of(from_rpc(error), where) from error


def _show_list(found: Sequence[experiment_pb2.Run], as_json: bool) -> None:
    if as_json:
        for run in found:
            click.echo(_json(run))
        return
    # a part of an id is of no use
    table = Table(Column("run", no_wrap=True), "status", "started", Column("about", overflow="fold"))
    for run in found:
        table.add_row(run.id, run.status, _time(run.started_at), _about(run))
    Console().print(table)


def _show_run(run: experiment_pb2.Run, metrics: Sequence[metric_pb2.Metric], as_json: bool) -> None:
    if as_json:
        click.echo(_json(run))
        for metric in metrics:
            click.echo(_json(metric))
        return
    ended = f", ended {_time(run.ended_at)}" if run.HasField("ended_at") else ""
    click.echo(f"{run.id}  {run.status}  started {_time(run.started_at)}{ended}\n{_about(run)}")
    table = Table("metric", "step", "value", "at")
    for metric in metrics:
        value = getattr(metric.value, metric.value.WhichOneof("value") or "text")
        step = str(metric.step) if metric.HasField("step") else ""
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        table.add_row(metric.name, step, shown, _time(metric.timestamp))
    Console().print(table)


def _about(run: experiment_pb2.Run) -> str:
    parts = (f"{name}={_plain(value)}" for name, value in sorted(run.metadata.items()))
    return " ".join(part for part in parts if not part.endswith("="))


def _plain(value: JsonValue) -> str:
    return value.string_value if value.WhichOneof("kind") == "string_value" else write(value)


def _time(at: Any) -> str:
    return str(at.ToDatetime().strftime("%Y-%m-%d %H:%M:%S"))


def _json(message: Any) -> str:
    return json.dumps(json_format.MessageToDict(message, preserving_proto_field_name=True), ensure_ascii=False)
