"""Rows in files: JSON lines, cut into shards, with a hash over all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from services.training.datasets.census import Census, ColumnCensus
from services.training.revisions import ColumnType

SHARD_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredShard:
    """A file of rows within a revision."""

    name: str
    num_rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Written:
    """The rows of a revision as they were written."""

    content_hash: str
    shards: tuple[StoredShard, ...]
    columns: Mapping[str, ColumnCensus]

    @property
    def num_rows(self) -> int:
        """Rows in all."""
        return sum(shard.num_rows for shard in self.shards)

    @property
    def size_bytes(self) -> int:
        """Bytes in all."""
        return sum(shard.size_bytes for shard in self.shards)


def written(value: Any) -> bytes:
    """Return a value as JSON in UTF-8 on one line, members sorted by name, without spaces.

    Raises:
        ValueError: a string is not valid Unicode.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


class ShardWriter:
    """Writes rows into shards in a folder and takes their statistics; a context manager."""

    def __init__(self, folder: Path, columns: Mapping[str, ColumnType], shard_bytes: int = SHARD_BYTES) -> None:
        """Begin without rows; the folder is there and empty."""
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._hash = sha256()
        self._censuses = {name: Census(kind) for name, kind in sorted(columns.items())}
        self._shards: list[StoredShard] = []
        self._file: BinaryIO | None = None
        self._rows = 0
        self._bytes = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row that has all columns and no other.

        Raises:
            ValueError: a string is not valid Unicode.
        """
        values = {name: written(row[name]) for name in self._censuses}
        line = b"{" + b",".join(written(name) + b":" + value for name, value in values.items()) + b"}\n"
        if self._file is None:
            self._file = (self._folder / self._name()).open("wb")
        self._file.write(line)
        self._hash.update(line)
        self._rows += 1
        self._bytes += len(line)
        for name, census in self._censuses.items():
            census.add(row[name], values[name])
        if self._bytes >= self._shard_bytes:
            self._end_shard()

    def finish(self) -> Written:
        """Close the last shard and return what was written."""
        self._end_shard()
        columns = {name: census.taken() for name, census in self._censuses.items()}
        return Written(self._hash.hexdigest(), tuple(self._shards), columns)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Close a file that is open."""
        if self._file is not None:
            self._file.close()

    def _name(self) -> str:
        return f"{len(self._shards):05}.jsonl"

    def _end_shard(self) -> None:
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._shards.append(StoredShard(self._name(), self._rows, self._bytes))
        self._rows = self._bytes = 0
