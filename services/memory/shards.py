"""The shards of the embedded engine: how they are made, opened, written and asked. All of it blocks.

Payload indexes are made before anything is written, because an index that comes after an improvement costs recall under
filters.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    Language,
    MatchAny,
    PayloadSchemaType,
    Point,
    RangeFloat,
    SnowballLanguage,
    SnowballParams,
    TextIndexParams,
    TokenizerType,
    UpdateOperation,
)

from mesh.errors import DataLoss, ResourceBusy
from services.memory import points
from services.memory.conditions import Condition, FactIn
from services.memory.store import Search, Shape, StoredChunk

log = logging.getLogger(__name__)

NUMBER_INDEXES: Final = 64
"""Metadata members of a bank whose numbers are indexed; those of others are compared one by one."""


@dataclass(frozen=True, slots=True)
class Shard:
    """An open shard, where it lies, and the fields that are indexed."""

    engine: EdgeShard
    path: Path
    indexed: set[str]

    @property
    def unimproved(self) -> int:
        """The number of vectors that the index does not know."""
        info = self.engine.info()
        return max(0, info.points_count - info.indexed_vectors_count)


def create(path: Path, shape: Shape) -> Shard:
    """Make a bank beside its place and move it there whole, so that a half one is never found."""
    making = path.with_name(f"{path.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    config = EdgeConfig(
        vectors={points.DENSE: EdgeVectorParams(size=shape.dimension, distance=Distance.Cosine)}
        if shape.dimension
        else None,
        # the engine wants a vector of some kind; this one stays empty
        sparse_vectors=None if shape.dimension else {"none": EdgeSparseVectorParams()},
        # a thread per CPU would be too many where many banks are open
        max_search_threads=2,
    )
    shard = EdgeShard.create(str(making), config)
    for name in (points.REVISION, points.FACTS):
        shard.update(UpdateOperation.create_field_index(name, PayloadSchemaType.Keyword))
    if shape.words:
        shard.update(UpdateOperation.create_field_index(points.TEXT, _words()))
    shard.flush()
    shard.close()
    making.rename(path)
    return load(path)


def index_words(opened: Shard) -> None:
    """Index the words of a bank that was made before there was such an index."""
    if points.TEXT not in opened.indexed:
        opened.engine.update(UpdateOperation.create_field_index(points.TEXT, _words()))
        opened.indexed.add(points.TEXT)


def _words() -> TextIndexParams:
    return TextIndexParams(
        tokenizer=TokenizerType.Word,
        lowercase=True,
        ascii_folding=True,
        stopwords=Language.English,
        stemmer=SnowballParams(SnowballLanguage.English),
        scoring=True,
    )


def load(path: Path) -> Shard:
    """Open a bank.

    Raises:
        DataLoss: it is not there or broken.
        ResourceBusy: another process has it open.
    """
    if not path.exists():
        raise DataLoss("the chunks of this memory bank are not in the store")
    try:
        shard = EdgeShard.load(str(path))
    except Exception as error:
        # the engine raises nothing more specific
        if "WouldBlock" in str(error):
            raise ResourceBusy("the memory bank is open in another process") from error
        log.error("bank %s can't be opened: %s", path.name, error)
        raise DataLoss("the chunks of this memory bank can't be read") from error
    return Shard(shard, path, set(shard.info().payload_schema))


def write(opened: Shard, chunks: Sequence[StoredChunk]) -> None:
    """Store chunks, and index the numbers of metadata members that come for the first time."""
    for name in sorted({name for chunk in chunks for name in chunk.features.numbers} - opened.indexed):
        if len(opened.indexed) < NUMBER_INDEXES:
            opened.engine.update(UpdateOperation.create_field_index(name, PayloadSchemaType.Float))
            opened.indexed.add(name)
    for start in range(0, len(chunks), points.BATCH):
        batch = [_point(chunk) for chunk in chunks[start : start + points.BATCH]]
        opened.engine.update(UpdateOperation.upsert_points(batch))


def _point(chunk: StoredChunk) -> Point:
    vectors: dict[str, Any] = {}
    if chunk.vector is not None:
        vectors[points.DENSE] = list(chunk.vector)
    return Point(points.point_id(chunk), vectors, points.payload(chunk))


def chosen(search: Search) -> Filter | None:
    """Return the filter of a search, None for none."""
    asked = search.conditions
    must = [_condition(one) for one in asked.all]
    if asked.any:
        must.append(Filter(should=[_condition(one) for one in asked.any]))
    must_not = [_condition(one) for one in asked.none]
    if search.without:
        must_not.append(Filter(must=[any_of(points.REVISION, search.without)]))
    return Filter(must=list(must), must_not=list(must_not)) if must or must_not else None


def _condition(condition: Condition) -> Filter:
    atom = condition.atom
    asked = (
        any_of(points.FACTS, atom.facts)
        if isinstance(atom, FactIn)
        else FieldCondition(atom.field, range=RangeFloat(gt=atom.gt, gte=atom.gte, lt=atom.lt, lte=atom.lte))
    )
    return Filter(must_not=[asked]) if condition.negated else Filter(must=[asked])


def any_of(name: str, values: Sequence[str]) -> FieldCondition:
    """Return the condition that a field has one of these values."""
    return FieldCondition(name, match=MatchAny(list(values)))
