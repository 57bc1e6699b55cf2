"""The process that reads, checks and writes the rows of a dataset: bytes come in, an answer goes out.

``python -m services.training.datasets.checker``; the first line of its input is a JSON object: ``format``, ``columns``
(type by name), ``folder`` (empty, for the shards), ``row_bytes`` (limit of a row). The answer is a JSON object, either
``written`` or ``refused`` with ``where`` (the row and column as in ``rows[2].score``, empty for the file as a whole)
and ``expected``.

It runs under limits of memory and knows nothing of the service: what it reads was written by anybody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

from services.training.datasets.columns import Misfit, fitted_row
from services.training.datasets.rows import Unreadable, csv_rows, json_lines, parquet_rows
from services.training.datasets.shards import SHARD_BYTES, ShardWriter
from services.training.revisions import ColumnType

_COPY: Final = 1024 * 1024
_SPOOL: Final = "input"


def main(spec: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    """Return the answer for the bytes of a stream."""
    try:
        return {"written": _write(spec, stream)}
    except _RowRefused as error:
        return _refused(error.where, error.expected)
    except Unreadable as error:
        return _refused("" if error.row is None else f"rows[{error.row}]", error.expected)
    except MemoryError:
        return _refused("", "the file takes more memory to read than is allowed")


class _RowRefused(Unreadable):
    """A row does not fit; ``where`` is its place."""

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(expected)
        self.where = where


def _write(spec: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    columns = {name: ColumnType(kind) for name, kind in spec["columns"].items()}
    folder = Path(spec["folder"])
    with ShardWriter(folder, columns, spec.get("shard_bytes", SHARD_BYTES)) as writer:
        for number, row in enumerate(_rows(spec, columns, stream)):
            try:
                writer.add(fitted_row(row, columns))
            except Misfit as misfit:
                raise _RowRefused(f"rows[{number}]{misfit.where}", misfit.expected) from misfit
            except UnicodeEncodeError as error:
                raise _RowRefused(f"rows[{number}]", "valid Unicode is needed, found half a surrogate pair") from error
        done = writer.finish()
    if not done.num_rows:
        raise Unreadable("at least one row is needed, the file has none")
    return asdict(done)


def _rows(spec: Mapping[str, Any], columns: Mapping[str, ColumnType], stream: BinaryIO) -> Iterator[Any]:
    match spec["format"]:
        case "jsonl":
            return json_lines(stream, spec["row_bytes"])
        case "csv":
            return csv_rows(stream, columns, spec["row_bytes"])
        case _:
            return _spooled(Path(spec["folder"]) / _SPOOL, columns, stream)


def _spooled(path: Path, columns: Mapping[str, ColumnType], stream: BinaryIO) -> Iterator[Any]:
    """Yield the rows of a Parquet file, which has to be read from its end."""
    try:
        with path.open("wb") as file:
            while part := stream.read(_COPY):
                file.write(part)
        yield from parquet_rows(path, columns)
    finally:
        path.unlink(missing_ok=True)


def _refused(where: str, expected: str) -> dict[str, Any]:
    return {"refused": {"where": where, "expected": expected}}


if __name__ == "__main__":
    json.dump(main(json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer), sys.stdout)
