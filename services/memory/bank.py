"""A bank: what it is called, what kind it is, and how it cuts documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from llamastack.memory.v1.bank_pb2 import Chunking, MemoryBankConfig
from services.memory.chunking import Cut
from services.memory.store import Shape

VECTOR: Final = "vector"
KEYWORD: Final = "keyword"
HYBRID: Final = "hybrid"
KEYVALUE: Final = "keyvalue"
GRAPH: Final = "graph"

_SIZE: Final = 512
# equal weights and a constant of 60 let weak words outvote meaning (docs/adr/0019)
_KEYWORD_WEIGHT: Final = 0.3
_RRF_K: Final = 2


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank of a tenant; ``uid`` is its name in the store, which is never used twice."""

    uid: str
    tenant: str
    bank_id: str
    name: str
    config: MemoryBankConfig
    dimension: int | None
    created_at: float

    @property
    def kind(self) -> str:
        """One of vector, keyword, hybrid, keyvalue and graph."""
        return self.config.WhichOneof("config") or VECTOR

    @property
    def shape(self) -> Shape | None:
        """What its chunks are found by; None for a bank without chunks in the store."""
        return shape_of(self.config, self.dimension)

    @property
    def embedding_model(self) -> str:
        """The model of its vectors; empty for a bank without vectors."""
        return embedding_model(self.config)

    def cut(self, most: int) -> Cut:
        """Return how it cuts documents, at most into so many chunks."""
        settings = _chunking(self.config)
        return Cut(settings.chunk_size_in_tokens, settings.overlap_size_in_tokens, most)


def complete(config: MemoryBankConfig, default_model: str) -> MemoryBankConfig:
    """Return a bank's settings with every default filled in."""
    made = MemoryBankConfig()
    made.CopyFrom(config)
    match made.WhichOneof("config"):
        case None | "vector":
            made.vector.embedding_model = made.vector.embedding_model or default_model
            cut = _completed(
                Chunking(
                    chunk_size_in_tokens=made.vector.chunk_size_in_tokens or None,
                    overlap_size_in_tokens=made.vector.overlap_size_in_tokens
                    if made.vector.HasField("overlap_size_in_tokens")
                    else None,
                )
            )
            made.vector.chunk_size_in_tokens = cut.chunk_size_in_tokens
            made.vector.overlap_size_in_tokens = cut.overlap_size_in_tokens
        case "keyword":
            made.keyword.chunking.CopyFrom(_completed(made.keyword.chunking))
        case "hybrid":
            hybrid = made.hybrid
            hybrid.chunking.CopyFrom(_completed(hybrid.chunking))
            hybrid.embedding_model = hybrid.embedding_model or default_model
            hybrid.vector_weight = hybrid.vector_weight if hybrid.HasField("vector_weight") else 1.0
            hybrid.keyword_weight = hybrid.keyword_weight if hybrid.HasField("keyword_weight") else _KEYWORD_WEIGHT
            hybrid.rrf_k = hybrid.rrf_k or _RRF_K
        case "graph":
            made.graph.chunking.CopyFrom(_completed(made.graph.chunking))
    return made


def embedding_model(config: MemoryBankConfig) -> str:
    """Return the model that makes a bank's vectors; empty for none."""
    match config.WhichOneof("config"):
        case "vector":
            return config.vector.embedding_model
        case "hybrid":
            return config.hybrid.embedding_model
        case _:
            return ""


def shape_of(config: MemoryBankConfig, dimension: int | None) -> Shape | None:
    """Return what the chunks of a bank with these settings are found by; None for one without chunks in the store."""
    kind = config.WhichOneof("config")
    return None if kind in {KEYVALUE, GRAPH} else Shape(dimension, words=kind in {KEYWORD, HYBRID})


def _chunking(config: MemoryBankConfig) -> Chunking:
    match config.WhichOneof("config"):
        case "vector":
            settings = config.vector
            return Chunking(
                chunk_size_in_tokens=settings.chunk_size_in_tokens,
                overlap_size_in_tokens=settings.overlap_size_in_tokens,
            )
        case "keyword":
            return config.keyword.chunking
        case "graph":
            return config.graph.chunking
        case _:
            return config.hybrid.chunking


def _completed(asked: Chunking) -> Chunking:
    size = asked.chunk_size_in_tokens or _SIZE
    overlap = asked.overlap_size_in_tokens if asked.HasField("overlap_size_in_tokens") else size // 4
    return Chunking(chunk_size_in_tokens=size, overlap_size_in_tokens=overlap)
