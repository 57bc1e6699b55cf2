"""What the rest of the service needs of datasets: the rows of a revision as files on this machine, held while in use.

A revision never changes. While somebody holds it, its files stay where they are, even if its dataset is deleted; what
is held outlives the process, so that a job that goes on after a restart finds the rows that it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset


class ColumnType(StrEnum):
    """What the values of a column are; see ``TrainEvalDatasetColumnType``."""

    DIALOG = "dialog"
    TEXT = "text"
    MEDIA = "media"
    NUMBER = "number"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of the rows, in order: a file of JSON lines in UTF-8, one object per row with all columns as members.

    A dialog is a list of messages as it was given, each an object with at least ``role`` (user, system, assistant,
    ipython or tool) and, but for assistant messages with ``tool_calls``, ``content``: a string, an attachment
    ``{url, mime_type}`` or a list of both. Media is a URL or an attachment, a number an integer or a finite float.
    """

    path: Path
    num_rows: int


@dataclass(frozen=True, slots=True)
class LocalRevision:
    """A revision whose rows are on this machine.

    ``dataset_uuid`` and ``revision`` are None where the request named a URL instead of a stored dataset.
    ``content_hash`` is SHA-256 in hexadecimal. ``columns`` are those that the request asked for; the rows may have
    more.
    """

    dataset_uuid: str | None
    revision: str | None
    content_hash: str
    num_rows: int
    columns: Mapping[str, ColumnType]
    shards: tuple[Shard, ...]


class Revisions(Protocol):
    """Where datasets become files."""

    async def hold(self, tenant: str, holder: str, dataset: TrainEvalDataset, path: str = "dataset") -> LocalRevision:
        """Return the rows of a dataset of a request, and keep them until ``release``.

        ``holder`` is unique within the tenant for one use of one dataset, as in ``post_training/JOB/dataset``. A
        holder that holds something already gets that again, whatever the request says now. ``path`` is the field of
        the request, for errors.

        Raises:
            ResourceNotFound: the stored dataset or its revision is not the tenant's.
            InvalidField: columns differ from the stored ones, or rows don't fit them, or the URL is not allowed.
            BackendUnavailable: the place of a URL can't be reached.
        """
        ...

    async def release(self, tenant: str, holder: str) -> None:
        """Let go of what a holder holds; nothing happens if that is nothing."""
        ...

    async def held_by(self, prefix: str) -> list[tuple[str, str]]:
        """Return tenant and name of all holders whose name begins with a prefix, of every tenant."""
        ...
