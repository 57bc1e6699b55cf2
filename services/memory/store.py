"""What the service needs of a vector store. Two keep it: the embedded one and a Qdrant server.

A store holds the chunks of banks by *revision*: one version of one document, written whole. Which revisions count is
for the database to say, not for a store: it may hold revisions that are not yet or no longer in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.memory.conditions import Conditions, Features


@dataclass(frozen=True, slots=True)
class Shape:
    """What a bank's chunks are found by: vectors of a dimension (None for no vectors), and words."""

    dimension: int | None
    words: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk as it was cut; offsets in characters of the document's text, pages from 1."""

    index: int
    text: str
    start: int
    end: int
    tokens: int
    page: int | None = None
    section: str | None = None


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk to be stored; ``vector`` where the bank has vectors."""

    revision: str
    piece: Piece
    features: Features
    vector: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """How to search: results at most, which documents, revisions to leave out, whether to look at every vector."""

    limit: int
    conditions: Conditions = field(default_factory=Conditions)
    without: tuple[str, ...] = ()
    exact: bool = False
    with_vectors: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; ``score`` is the cosine or BM25, higher is better."""

    revision: str
    piece: Piece
    score: float
    vector: Sequence[float] | None = None


class Store(Protocol):
    """A vector store.

    Errors of all methods: BackendUnavailable where it can't be reached, and DataLoss for a bank that it does not have
    where nothing else is said.
    """

    async def create(self, bank: str, shape: Shape) -> None:
        """Make room for a bank; nothing happens if it is there."""

    async def drop(self, bank: str) -> None:
        """Delete a bank with its chunks; nothing happens if it is not there."""

    async def write(self, bank: str, chunks: Sequence[StoredChunk]) -> None:
        """Store chunks; when this returns, they outlive the process and every search finds them."""

    async def forget(self, bank: str, revisions: Sequence[str]) -> None:
        """Delete the chunks of revisions; nothing happens if the bank is not there."""

    async def nearest(self, bank: str, vector: Sequence[float], search: Search) -> list[Hit]:
        """Return the chunks whose vectors are most like this one by cosine, best first."""

    async def matching(self, bank: str, text: str, search: Search) -> list[Hit]:
        """Return the chunks that share words with a text by BM25, best first; those that share none are left out.

        k1 is 1.2 and b 0.75 against the mean length of the bank's chunks; English stop words are left out and words are
        compared by their stems.
        """

    async def check(self) -> None:
        """Return if the store answers."""

    async def close(self) -> None:
        """Write everything out and let go of it."""
