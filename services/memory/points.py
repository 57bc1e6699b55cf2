"""How a chunk becomes a point of Qdrant: the same for the embedded engine and for a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from services.memory.store import Hit, Piece, StoredChunk

DENSE: Final = "dense"
TEXT: Final = "text"
REVISION: Final = "revision"
FACTS: Final = "facts"
BATCH: Final = 256
"""Points per operation; one operation is one record of the write-ahead log."""


def point_id(chunk: StoredChunk) -> str:
    """Return the id of a chunk's point: the same each time, so that writing it twice is writing it once."""
    return str(uuid5(NAMESPACE_OID, f"{chunk.revision}/{chunk.piece.index}"))


def payload(chunk: StoredChunk) -> dict[str, Any]:
    """Return what is stored beside the vectors."""
    piece = chunk.piece
    return {
        REVISION: chunk.revision,
        FACTS: chunk.features.facts,
        "index": piece.index,
        TEXT: piece.text,
        "start": piece.start,
        "end": piece.end,
        "tokens": piece.tokens,
        "page": piece.page,
        "section": piece.section,
        **chunk.features.numbers,
    }


def hit(stored: Mapping[str, Any], score: float, vector: Sequence[float] | None) -> Hit:
    """Return what was found."""
    piece = Piece(
        index=stored["index"],
        text=stored[TEXT],
        start=stored["start"],
        end=stored["end"],
        tokens=stored["tokens"],
        page=stored.get("page"),
        section=stored.get("section"),
    )
    return Hit(stored[REVISION], piece, score, vector)
