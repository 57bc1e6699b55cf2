"""``altiplano memory``: banks of documents, from folders in, by questions out."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from google.protobuf import json_format
from rich.console import Console
from rich.progress import Progress

from cli.failure import USAGE, Failure
from cli.where import NounGroup, Where, address_of
from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub

if TYPE_CHECKING:
    from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceAsyncStub

KINDS: Final = ("vector", "keyword", "hybrid", "keyvalue", "graph")
MOST_BYTES: Final = 48 * 1024 * 1024
"""What a file may have; a message has to hold it with all that goes with it."""
_TOO_LARGE: Final = "at most 48 MiB are taken"
_MOST_ID: Final = 256
"""Characters of a document's id, which a file's path is."""
_Result = TypeVar("_Result")


@click.group(cls=NounGroup)
@click.option("--address", help="host:port of the memory service; default its own of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line per item.")
@click.pass_context
def memory(context: click.Context, address: str | None, as_json: bool) -> None:
    """Make, fill, search and drop banks of documents."""
    context.obj = Where(address_of("memory", address), as_json)


@memory.command()
@click.argument("bank")
@click.option("--name", help="The bank's name for people; default its id.")
@click.option("--kind", type=click.Choice(KINDS), default="hybrid", show_default=True, help="What it finds by.")
@click.option("--model", help="The embedding model; default the service's.")
@click.option("--extraction-model", help="The language model that reads entities out of the documents of a graph bank.")
@click.option("--chunk-size", type=click.IntRange(16, 32768), help="Tokens per chunk; default 512.")
@click.pass_obj
def create(where: Where, /, bank: str, name: str | None, kind: str, **chosen: Any) -> None:
    """Make BANK."""
    model, extraction_model, chunk_size = (chosen[one] for one in ("model", "extraction_model", "chunk_size"))
    config = bank_pb2.MemoryBankConfig()
    settings = getattr(config, kind)
    settings.SetInParent()
    if model is not None:
        if kind not in {"vector", "hybrid"}:
            raise Failure(f"--model: a bank of kind {kind} has no vectors", USAGE)
        settings.embedding_model = model
    if extraction_model is not None:
        if kind != "graph":
            raise Failure(f"--extraction-model: a bank of kind {kind} has no entities", USAGE)
        settings.extraction_model = extraction_model
    if chunk_size is not None:
        if kind == "keyvalue":
            raise Failure("--chunk-size: the documents of a keyvalue bank are not cut", USAGE)
        (settings if kind == "vector" else settings.chunking).chunk_size_in_tokens = chunk_size
    request = bank_pb2.CreateMemoryBankRequest(bank_id=bank, bank_name=name or bank, config=config)

    async def ask(stub: MemoryBanksServiceAsyncStub) -> str:
        return (await stub.CreateMemoryBank(request)).bank_id

    made = _run(where, ask)
    click.echo(json.dumps({"bank_id": made}) if where.as_json else made)


@memory.command("list")
@click.pass_obj
def list_banks(where: Where) -> None:
    """List the banks with the number of their documents and chunks."""

    async def ask(stub: MemoryBanksServiceAsyncStub) -> list[bank_pb2.MemoryBank]:
        banks: list[bank_pb2.MemoryBank] = []
        request = bank_pb2.ListMemoryBanksRequest()
        while True:
            page = await stub.ListMemoryBanks(request)
            banks += page.memory_banks
            if not page.next_page_token:
                return banks
            request.page_token = page.next_page_token

    for bank in _run(where, ask):
        if where.as_json:
            click.echo(_json(bank))
        else:
            kind = bank.config.WhichOneof("config")
            click.echo(f"{bank.memory_bank_id}  {kind}  {bank.document_count} documents  {bank.chunk_count} chunks")


@memory.command()
@click.argument("bank")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--glob", "pattern", default="**/*", show_default=True, help="Which files of a folder.")
@click.pass_obj
def add(where: Where, bank: str, paths: tuple[Path, ...], pattern: str) -> None:
    """Put files and folders into BANK.

    A document's id is its path as it was given here. Files that did not change since are skipped, so that an
    interrupted command goes on where it was when it is given again; files that changed take the place of the old ones.
    """
    files = sorted({file for path in paths for file in _files(path, pattern)})
    if not files:
        raise Failure("no file was found", USAGE)
    fitting = []
    for file in files:
        if (why := _unfit(file)) is None:
            fitting.append(file)
        else:
            click.echo(f"{click.format_filename(file)}: {why}", err=True)
    failed = len(files) - len(fitting)
    if fitting:
        failed += _run(where, lambda stub: _fill(stub, bank, fitting, where.as_json))
    if failed:
        raise Failure(f"{failed} of {len(files)} files did not go in")


@memory.command()
@click.argument("bank")
@click.argument("text")
@click.option("--max-chunks", default=5, show_default=True, type=click.IntRange(1, 1000), help="Results at most.")
@click.option("--rerank", help="A reward model that orders the results anew.")
@click.pass_obj
def query(where: Where, bank: str, text: str, max_chunks: int, rerank: str | None) -> None:
    """Search BANK for TEXT."""
    params = query_pb2.QueryParams(max_chunks=max_chunks, rerank_model=rerank)
    request = query_pb2.QueryMemoryBankRequest(bank_id=bank, query=query_pb2.QueryText(text=text), params=params)

    async def ask(stub: MemoryBanksServiceAsyncStub) -> query_pb2.QueryMemoryBankResponse:
        return await stub.QueryMemoryBank(request)

    answer = _run(where, ask)
    _print_graph(answer, where.as_json)
    for chunk, score in zip(answer.chunks, answer.scores, strict=True):
        if where.as_json:
            click.echo(json.dumps({"score": score, "chunk": json.loads(_json(chunk))}, ensure_ascii=False))
            continue
        place = (
            f"page {chunk.page}" if chunk.HasField("page") else f"characters {chunk.start_offset} to {chunk.end_offset}"
        )
        click.secho(f"{score:.4f}  {chunk.document_id}, {place}", bold=True)
        click.echo(f"{chunk.content}\n")


def _print_graph(answer: query_pb2.QueryMemoryBankResponse, as_json: bool) -> None:
    for entity in answer.entities:
        if as_json:
            click.echo(json.dumps({"entity": json.loads(_json(entity))}, ensure_ascii=False))
        else:
            click.echo(f"{entity.name} ({entity.kind})" if entity.kind else entity.name)
    for relation in answer.relations:
        if as_json:
            click.echo(json.dumps({"relation": json.loads(_json(relation))}, ensure_ascii=False))
        else:
            click.echo(f"{relation.source} {relation.relation} {relation.target}  ({relation.document_id})")


@memory.command()
@click.argument("bank")
@click.confirmation_option(prompt="Delete the bank with all that is in it?")
@click.pass_obj
def drop(where: Where, bank: str) -> None:
    """Delete BANK with all its documents."""

    async def ask(stub: MemoryBanksServiceAsyncStub) -> str:
        return (await stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id=bank))).bank_id

    gone = _run(where, ask)
    click.echo(json.dumps({"bank_id": gone}) if where.as_json else gone)


async def _fill(stub: MemoryBanksServiceAsyncStub, bank: str, files: Sequence[Path], as_json: bool) -> int:
    """Send the files as the service takes them, and return how many did not go in."""
    failed = 0
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(bank, total=len(files))

        async def requests() -> AsyncIterator[document_pb2.BulkInsertDocumentsRequest]:
            nonlocal failed
            yield document_pb2.BulkInsertDocumentsRequest(bank_id=bank, replace=True, total=len(files))
            for file in files:
                try:
                    content = document_pb2.DocumentContent(data=await asyncio.to_thread(_content, file))
                except OSError:
                    failed += 1
                    bar.advance(task)
                    bar.console.print(f"{file.as_posix()}: it can't be read any more", markup=False, highlight=False)
                    continue
                document = document_pb2.MemoryBankDocument(document_id=file.as_posix(), content=content)
                yield document_pb2.BulkInsertDocumentsRequest(document=document)

        async for progress in stub.BulkInsertDocuments(requests()):
            bar.advance(task)
            result = progress.result
            if as_json:
                click.echo(_json(result))
            if result.outcome == document_pb2.DOCUMENT_OUTCOME_FAILED:
                failed += 1
                bar.console.print(f"{result.document_id}: {result.error.message}", markup=False, highlight=False)
    return failed


def _files(path: Path, pattern: str) -> Iterator[Path]:
    """Yield a file itself, or those of a folder that fit the pattern and are not hidden."""
    if path.is_file():
        yield path
        return
    try:
        for found in path.glob(pattern):
            if found.is_file() and not any(part.startswith(".") for part in found.relative_to(path).parts):
                yield found
    except (ValueError, NotImplementedError) as error:
        raise Failure(
            f"--glob: a pattern below the folder is needed, such as **/*.md; {pattern!r} is none", USAGE
        ) from error


def _unfit(file: Path) -> str | None:
    """Return why a file can't go in, None if nothing is known against it."""
    try:
        if file.stat().st_size > MOST_BYTES:
            return _TOO_LARGE
        if not os.access(file, os.R_OK):
            return "it can't be read"
        file.as_posix().encode()
    except OSError:
        return "it is not there any more"
    except UnicodeEncodeError:
        return "its name is not text in UTF-8"
    return None if len(file.as_posix()) <= _MOST_ID else f"a path of at most {_MOST_ID} characters is needed"


def _content(file: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: it can't be read, or has grown too large.
    """
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(_TOO_LARGE)
    return content


def _run(where: Where, ask: Callable[[MemoryBanksServiceAsyncStub], Coroutine[Any, Any, _Result]]) -> _Result:
    return where.ask(lambda channel: ask(MemoryBanksServiceStub(channel)))


def _json(message: Any) -> str:
    return json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
