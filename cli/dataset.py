"""``altiplano dataset``: data to train on and to judge by, from files and URLs in, as rows and statistics out."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cli.collecting import SOURCES, Conditions, moment, request_of
from cli.failure import USAGE, Failure
from cli.where import NounGroup, Where, address_of
from gateway.app import load_contract
from gateway.codec.codec import Codec
from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.datasets.v1 import dataset_pb2, dataset_requests_pb2
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from mesh.json_text import write

if TYPE_CHECKING:
    from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceAsyncStub

_PREFIX: Final = "TRAIN_EVAL_DATASET_COLUMN_TYPE_"
TYPES: Final = {
    name.removeprefix(_PREFIX).lower(): number
    for name, number in dataset_pb2.TrainEvalDatasetColumnType.items()
    if number != 0
}
_NAMES: Final = {number: name for name, number in TYPES.items()}
_FORMATS: Final = ("jsonl", "csv", "parquet")
_ENDINGS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
_CHUNK: Final = 1024 * 1024
_READ_S: Final = 3600.0
"""Seconds for the service to read what a URL leads to."""
_Result = TypeVar("_Result")


def _columns(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Return the type of each column that was given as NAME=TYPE."""
    found: dict[str, Any] = {}
    for item in given:
        name, sign, kind = item.rpartition("=")
        if not sign or not name or kind not in TYPES:
            raise click.BadParameter(f"{item!r} is not NAME=TYPE; types are {', '.join(TYPES)}")
        found[name] = TYPES[kind]
    return found


def _named(context: click.Context, parameter: click.Parameter, given: str) -> tuple[str, str | None]:
    """Return dataset and revision of DATASET or DATASET@REVISION."""
    name, _, revision = given.partition("@")
    return name, revision or None


@click.group(cls=NounGroup)
@click.option("--address", help="host:port of the training service; default its own of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per item.")
@click.pass_context
def dataset(context: click.Context, address: str | None, as_json: bool) -> None:
    """Make, fill, look at and drop datasets. A DATASET may be one revision of it, as in qa@2."""
    context.obj = Where(address_of("datasets", address), as_json)


@dataset.command()
@click.argument("name")
@click.argument("url")
@click.option("--column", "columns", multiple=True, callback=_columns, help="NAME=TYPE of a column to keep.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="What the data is, if the URL does not tell.")
@click.option("--revise", is_flag=True, help="Add a revision to a dataset that is there.")
@click.pass_obj
def create(where: Where, name: str, url: str, columns: dict[str, Any], kind: str | None, revise: bool) -> None:
    """Make the dataset NAME out of what URL leads to.

    The service reads it: data:, http(s):, s3:, gs:, hf:, file: of the service's machine, or dataset:OTHER[@REVISION].
    """
    metadata = {"format": JsonValue(string_value=kind)} if kind else {}
    made = dataset_pb2.TrainEvalDataset(columns=columns, content_url=Url(uri=url), metadata=metadata)

    async def ask(stub: DatasetsServiceAsyncStub) -> dataset_pb2.DatasetRevision:
        with Console(stderr=True).status(f"{name}: reading"):
            if revise:
                request = dataset_requests_pb2.ReviseDatasetRequest(dataset_uuid=name, dataset=made)
                return (await stub.ReviseDataset(request, timeout=_READ_S)).revision
            creation = dataset_requests_pb2.CreateDatasetRequest(uuid=name, dataset=made)
            return (await stub.CreateDataset(creation, timeout=_READ_S)).revision

    _show(where, _run(where, ask))


@dataset.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--column", "columns", multiple=True, required=True, callback=_columns, help="NAME=TYPE to keep.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="What the file is; default by its ending.")
@click.option("--revise", is_flag=True, help="Add a revision to a dataset that is there.")
@click.pass_obj
def upload(where: Where, name: str, file: Path, columns: dict[str, Any], kind: str | None, revise: bool) -> None:
    """Send FILE of this machine and make the dataset NAME out of it."""
    found = kind or _ENDINGS.get(file.suffix.lower())
    if found is None:
        raise Failure(f"--format: the ending of {file.name} does not tell what it is", USAGE)

    async def ask(stub: DatasetsServiceAsyncStub) -> dataset_pb2.DatasetRevision:
        with Progress(console=Console(stderr=True)) as bar:
            # the file is read twice: the service compares what came with what was sent
            digest = await asyncio.to_thread(_digest, file)
            header = dataset_requests_pb2.UploadDatasetHeader(
                uuid=name, columns=columns, format=found, revise=revise, sha256=digest
            )
            return (await stub.UploadDataset(_pieces(header, file, bar))).revision

    _show(where, _run(where, ask))


@dataset.command()
@click.argument("source", type=click.Choice(SOURCES))
@click.argument("name")
@click.option("--agent", "agents", multiple=True, help="An agent whose sessions to take; default all.")
@click.option("--session", "sessions", multiple=True, help="A session to take; default all.")
@click.option("--per-turn", is_flag=True, help="A row per turn with the conversation up to it, not per session.")
@click.option("--violations", is_flag=True, help="Take turns too in which a shield found a violation.")
@click.option("--run", "runs", multiple=True, help="A run whose calls to take; default all.")
@click.option("--model", "models", multiple=True, help="A model that answered; default all.")
@click.option("--attribute", "attributes", multiple=True, help="NAME=VALUE that a call has to carry.")
@moment("--after", "Turns or calls since this time")
@moment("--before", "Turns or calls before this time")
@click.option("--max-rows", type=click.IntRange(0, 1_000_000), default=0, help="Rows at most; default 100000.")
@click.pass_obj
def collect(where: Where, /, source: str, name: str, max_rows: int, **given: Any) -> None:
    """Make the dataset NAME out of usage, newest first, or add a revision to it.

    SOURCE is sessions (what agents were asked and answered) or traces (logged calls of models).
    """
    request = request_of(name, source, Conditions(**given), max_rows)

    async def ask(stub: DatasetsServiceAsyncStub) -> dataset_pb2.DatasetRevision:
        with Console(stderr=True).status(f"{name}: collecting"):
            return (await stub.CollectDataset(request, timeout=_READ_S)).revision

    _show(where, _run(where, ask))


@dataset.command("list")
@click.pass_obj
def list_datasets(where: Where) -> None:
    """List the datasets, each with its latest revision."""

    async def ask(stub: DatasetsServiceAsyncStub) -> list[dataset_pb2.DatasetRevision]:
        found: list[dataset_pb2.DatasetRevision] = []
        request = dataset_requests_pb2.ListDatasetsRequest()
        while True:
            page = await stub.ListDatasets(request)
            found += page.datasets
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    for revision in _run(where, ask):
        _show(where, revision)


@dataset.command()
@click.argument("named", metavar="DATASET", callback=_named)
@click.pass_obj
def show(where: Where, named: tuple[str, str | None]) -> None:
    """Show where DATASET comes from, its columns and its revisions."""

    async def ask(
        stub: DatasetsServiceAsyncStub,
    ) -> tuple[dataset_requests_pb2.GetDatasetResponse, list[dataset_pb2.DatasetRevision]]:
        request = dataset_requests_pb2.GetDatasetRequest(dataset_uuid=named[0], revision=named[1])
        found = await stub.GetDataset(request)
        listing = dataset_requests_pb2.ListDatasetRevisionsRequest(dataset_uuid=named[0])
        return found, list((await stub.ListDatasetRevisions(listing)).revisions)

    found, revisions = _run(where, ask)
    if where.as_json:
        click.echo(_json(found))
        return
    _show(where, found.revision)
    click.echo(f"from       {found.dataset.content_url.uri[:200]}")
    click.echo(f"hash       {found.revision.content_hash}")
    for name, kind in sorted(found.revision.columns.items()):
        click.echo(f"column     {name}  {_NAMES[kind]}")
    for revision in revisions:
        click.echo(f"revision   {revision.revision}  {revision.num_rows} rows  {_time(revision)}")


@dataset.command()
@click.argument("named", metavar="DATASET", callback=_named)
@click.option("--offset", default=0, type=click.IntRange(0), help="The first row, from 0.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="Rows at most.")
@click.pass_obj
def preview(where: Where, named: tuple[str, str | None], offset: int, limit: int) -> None:
    """Print rows of DATASET, a line of JSON each."""
    request = dataset_requests_pb2.PreviewDatasetRequest(
        dataset_uuid=named[0], revision=named[1], offset=offset, limit=limit
    )

    async def ask(stub: DatasetsServiceAsyncStub) -> dataset_requests_pb2.PreviewDatasetResponse:
        return await stub.PreviewDataset(request)

    for row in _run(where, ask).rows:
        click.echo(write(JsonValue(object_value=row)))


@dataset.command()
@click.argument("named", metavar="DATASET", callback=_named)
@click.pass_obj
def stats(where: Where, named: tuple[str, str | None]) -> None:
    """Print statistics of the columns of DATASET.

    Sizes are the value of a number, characters of a text, messages of a dialog, bytes of JSON and media.
    """
    request = dataset_requests_pb2.GetDatasetStatisticsRequest(dataset_uuid=named[0], revision=named[1])

    async def ask(stub: DatasetsServiceAsyncStub) -> dataset_requests_pb2.GetDatasetStatisticsResponse:
        return await stub.GetDatasetStatistics(request)

    found = _run(where, ask)
    if where.as_json:
        click.echo(_json(found))
        return
    table = Table("column", "type", "empty", "distinct", "min", "median", "mean", "max", "stddev", box=None)
    for name, column in sorted(found.columns.items()):
        sizes = (column.min, column.median, column.mean, column.max, column.stddev)
        counts = (str(column.num_empty), str(column.num_distinct))
        table.add_row(name, _NAMES[column.type], *counts, *(f"{size:.6g}" for size in sizes))
    Console().print(table)


@dataset.command()
@click.argument("name")
@click.confirmation_option(prompt="Delete the dataset with all of its revisions?")
@click.pass_obj
def drop(where: Where, name: str) -> None:
    """Delete NAME with all of its revisions."""

    async def ask(stub: DatasetsServiceAsyncStub) -> None:
        await stub.DeleteDataset(dataset_requests_pb2.DeleteDatasetRequest(dataset_uuid=name))

    _run(where, ask)
    click.echo(json.dumps({"dataset_uuid": name}) if where.as_json else name)


async def _pieces(
    header: dataset_requests_pb2.UploadDatasetHeader, file: Path, bar: Progress
) -> AsyncIterator[dataset_requests_pb2.UploadDatasetRequest]:
    yield dataset_requests_pb2.UploadDatasetRequest(header=header)
    opened = await asyncio.to_thread(file.open, "rb")
    with opened:
        task = bar.add_task(header.uuid, total=os.fstat(opened.fileno()).st_size)
        while chunk := await asyncio.to_thread(opened.read, _CHUNK):
            yield dataset_requests_pb2.UploadDatasetRequest(chunk=chunk)
            bar.advance(task, len(chunk))


def _digest(file: Path) -> str:
    seen = sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            seen.update(chunk)
    return seen.hexdigest()


def _show(where: Where, revision: dataset_pb2.DatasetRevision) -> None:
    if where.as_json:
        click.echo(_json(revision))
        return
    name = f"{revision.dataset_uuid}@{revision.revision}"
    click.echo(f"{name}  {revision.num_rows} rows  {revision.size_bytes} bytes  {_time(revision)}")


def _time(revision: dataset_pb2.DatasetRevision) -> str:
    return revision.created_at.ToDatetime().isoformat(sep=" ", timespec="seconds")


def _run(where: Where, ask: Callable[[DatasetsServiceAsyncStub], Coroutine[Any, Any, _Result]]) -> _Result:
    return where.ask(lambda channel: ask(DatasetsServiceStub(channel)))


def _json(message: Message) -> str:
    encode = Codec(load_contract().pool).encoder(message.DESCRIPTOR.full_name)
    return encode(message.SerializeToString()).decode()
