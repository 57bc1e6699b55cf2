"""Datasets as the contract's messages, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.datasets.v1 import dataset_pb2 as pb
from mesh.json_text import value_of
from services.training.datasets.catalog import Revision
from services.training.revisions import ColumnType

_TYPES: Final[Mapping[ColumnType, pb.TrainEvalDatasetColumnType.ValueType]] = {
    ColumnType.DIALOG: pb.TRAIN_EVAL_DATASET_COLUMN_TYPE_DIALOG,
    ColumnType.TEXT: pb.TRAIN_EVAL_DATASET_COLUMN_TYPE_TEXT,
    ColumnType.MEDIA: pb.TRAIN_EVAL_DATASET_COLUMN_TYPE_MEDIA,
    ColumnType.NUMBER: pb.TRAIN_EVAL_DATASET_COLUMN_TYPE_NUMBER,
    ColumnType.JSON: pb.TRAIN_EVAL_DATASET_COLUMN_TYPE_JSON,
}
_NAMES: Final = {number: kind for kind, number in _TYPES.items()}


def columns_of(columns: Mapping[str, pb.TrainEvalDatasetColumnType.ValueType]) -> dict[str, ColumnType]:
    """Return the type of each column by its name, sorted by name."""
    return {name: _NAMES[columns[name]] for name in sorted(columns)}


def metadata_only(metadata: Mapping[str, JsonValue]) -> bytes:
    """Return metadata in the form in which it is stored."""
    return pb.TrainEvalDataset(metadata=metadata).SerializeToString(deterministic=True)


def revision(found: Revision) -> pb.DatasetRevision:
    """Return the message for a revision."""
    facts = found.facts
    return pb.DatasetRevision(
        dataset_uuid=found.dataset_uuid,
        revision=str(found.number),
        content_hash=facts.content_hash,
        num_rows=facts.num_rows,
        size_bytes=facts.size_bytes,
        columns={name: _TYPES[kind] for name, kind in facts.columns.items()},
        origin=facts.origin,  # type: ignore[arg-type]  # the database keeps the number
        parent_revision=str(found.number - 1) if found.number > 1 else None,
        created_at=timestamp(facts.created_at),
        metadata=pb.TrainEvalDataset.FromString(facts.metadata).metadata,
    )


def dataset(found: Revision) -> pb.TrainEvalDataset:
    """Return the description of a dataset at a revision."""
    url = found.facts.source or f"dataset:{found.dataset_uuid}@{found.number}"
    return pb.TrainEvalDataset(
        columns={name: _TYPES[kind] for name, kind in found.facts.columns.items()},
        content_url=Url(uri=url),
        metadata=pb.TrainEvalDataset.FromString(found.facts.metadata).metadata,
    )


def statistics(found: Revision) -> dict[str, pb.DatasetColumnStatistics]:
    """Return the statistics of each column."""
    return {
        name: pb.DatasetColumnStatistics(
            type=_TYPES[found.facts.columns[name]],
            num_empty=census.num_empty,
            num_distinct=census.num_distinct,
            min=census.min,
            max=census.max,
            mean=census.mean,
            median=census.median,
            stddev=census.stddev,
        )
        for name, census in found.facts.census.items()
    }


def row(values: dict[str, Any]) -> JsonObject:
    """Return a row."""
    return value_of(values).object_value


def timestamp(seconds: float) -> Timestamp:
    """Return the message for Unix seconds."""
    made = Timestamp()
    made.FromNanoseconds(round(seconds * 1e6) * 1000)
    return made
