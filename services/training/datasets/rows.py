"""Rows out of JSON lines, CSV and Parquet, one after the other; memory does not grow with the file or its lines.

A row is whatever JSON value a line holds, or an object of the fields of a CSV line or Parquet row. Runs where rows are
read, in a process of its own; nothing in a file is ever executed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from services.training.revisions import ColumnType

FORMATS: Final = ("jsonl", "csv", "parquet")
_BATCH: Final = 64
_PARSED: Final = frozenset({ColumnType.DIALOG, ColumnType.JSON, ColumnType.NUMBER})


class Unreadable(ValueError):
    """The bytes are not what they are said to be; ``row`` is the row that could not be read, from 0, if it is one."""

    def __init__(self, expected: str, row: int | None = None) -> None:
        """``expected`` says what is needed."""
        super().__init__(expected)
        self.expected = expected
        self.row = row


def json_lines(stream: BinaryIO, limit: int) -> Iterator[Any]:
    """Yield the value of each line that is not blank; ``limit`` is bytes per line.

    Raises:
        Unreadable: a line is not JSON in UTF-8, or too long.
    """
    row = 0
    for text in _lines(stream, limit):
        if not text.strip():
            continue
        try:
            value = _parse(text)
        except ValueError as error:
            raise Unreadable(f"a line of JSON is needed; {error}", row) from error
        yield value
        row += 1


def csv_rows(stream: BinaryIO, columns: Mapping[str, ColumnType], limit: int) -> Iterator[dict[str, Any]]:
    """Yield an object per line after the header; ``limit`` is bytes per row.

    A field of a column of dialogs, numbers or JSON is read as JSON; all others are texts.

    Raises:
        Unreadable: a row is not CSV in UTF-8, too long, or has more or fewer fields than the header.
    """
    csv.field_size_limit(limit)
    budget = _Budget(stream, limit)
    reader = csv.reader(budget, strict=True)
    header: list[str] | None = None
    row = 0
    try:
        for fields in reader:
            budget.spent = 0
            if not fields:
                continue
            if header is None:
                header = fields
                _check_header(header)
                continue
            if len(fields) != len(header):
                raise Unreadable(f"{len(header)} fields are needed as in the header, found {len(fields)}", row)
            yield {name: _cell(name, text, columns, row) for name, text in zip(header, fields, strict=True)}
            row += 1
    except csv.Error as error:
        raise Unreadable(f"a row of CSV is needed; {error}", row) from error


def parquet_rows(path: Path, columns: Mapping[str, ColumnType]) -> Iterator[dict[str, Any]]:
    """Yield an object per row. Texts in a column of dialogs are read as JSON.

    Raises:
        Unreadable: it is not a Parquet file, or a part of it is broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    row = 0
    try:
        with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            present = [name for name in file.schema_arrow.names if name in columns]
            for batch in file.iter_batches(_BATCH, columns=present, use_threads=False):
                for fields in batch.to_pylist(maps_as_pydicts="strict"):
                    yield {name: _column(value, columns[name], row) for name, value in fields.items()}
                    row += 1
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, KeyError, OSError) as error:
        raise Unreadable("a readable Parquet file is needed", row or None) from error


def _lines(stream: BinaryIO, limit: int) -> Iterator[str]:
    """Yield the lines with their ends.

    Raises:
        Unreadable: one is not UTF-8 or longer than the limit.
    """
    number = 0
    while line := stream.readline(limit + 1):
        if len(line) > limit:
            raise Unreadable(f"line {number + 1} is longer than {limit} bytes")
        try:
            yield line.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"text in UTF-8 is needed; line {number + 1} is not") from error
        number += 1


class _Budget:
    """The lines of a stream for a CSV reader; ``spent`` counts the bytes of the row that is being read."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._lines = _lines(stream, limit)
        self._limit = limit
        self.spent = 0

    def __iter__(self) -> _Budget:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.spent += len(line)
        if self.spent > self._limit:
            raise Unreadable(f"a row is longer than {self._limit} bytes")
        if "\0" in line:
            raise Unreadable("text is needed, found a null character")
        return line


def _check_header(header: list[str]) -> None:
    if len(set(header)) != len(header):
        raise Unreadable("the header of a CSV file names each column once")


def _cell(name: str, text: str, columns: Mapping[str, ColumnType], row: int) -> Any:
    if columns.get(name) not in _PARSED:
        return text
    return _parsed(text, f"column {name!r}: ", row)


def _column(value: Any, kind: ColumnType, row: int) -> Any:
    if kind is ColumnType.DIALOG and isinstance(value, str):
        return _parsed(value, "", row)
    return value


def _parsed(text: str, prefix: str, row: int) -> Any:
    try:
        return _parse(text)
    except ValueError as error:
        raise Unreadable(f"{prefix}a JSON value is needed; {error}", row) from error


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.lower()} at character {error.pos}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        # Python converts integers of at most 4300 digits
        raise ValueError("a number is too long" if "digits" in str(error) else str(error)) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
