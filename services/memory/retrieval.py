"""Finding chunks: by meaning, by words, by both, by key or around entities; then filters, limits and diversity."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from llamastack.memory.v1.query_pb2 import (
    GRAPH_DIRECTION_IN,
    GRAPH_DIRECTION_OUT,
    RESULT_LEVEL_DOCUMENT,
    QueryMemoryBankRequest,
    QueryParams,
)
from mesh import token_rule
from mesh.errors import DataLoss, InvalidField, ResourceNotFound, WrongState
from services.memory.bank import GRAPH, HYBRID, KEYVALUE, KEYWORD, VECTOR, Bank
from services.memory.banks import KIND as BANK
from services.memory.conditions import conditions, features
from services.memory.documents import Documents, Info
from services.memory.inference import Inference
from services.memory.neighbourhood import Around, Neighbourhoods
from services.memory.ranking import diversify, fuse
from services.memory.store import Hit, Piece, Search, Store

MAX_CHUNKS: Final = 10
_TIMES: Final = 4
"""Candidates per result, where results are chosen among them."""
_DEPTH: Final = 100
"""Ranks of each ranking that a fusion looks at, at least."""
_DEEPEST: Final = 100_000
_LOOKS: Final = 8

_CHUNKED: Final = frozenset({VECTOR, KEYWORD, HYBRID})
_VECTORS: Final = frozenset({VECTOR, HYBRID})
_USES: Final = {
    "diversity": _VECTORS,
    "exact": _VECTORS,
    "level": _CHUNKED | {GRAPH},
    "rerank_model": _CHUNKED,
    "rerank_candidates": _CHUNKED,
    "vector_weight": frozenset({HYBRID}),
    "keyword_weight": frozenset({HYBRID}),
    "keys": frozenset({KEYVALUE}),
    "entities": frozenset({GRAPH}),
    "relations": frozenset({GRAPH}),
    "max_hops": frozenset({GRAPH}),
    "direction": frozenset({GRAPH}),
}


@dataclass(frozen=True, slots=True)
class Result:
    """A chunk that answers a query, with its document and its score."""

    piece: Piece
    info: Info
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Results, best first, and in a graph bank the entities and relations that were met on the way."""

    results: Sequence[Result]
    entities: Sequence[GraphEntity] = ()
    relations: Sequence[GraphRelation] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    """What is looked for: the text, its vector where the bank has vectors, and the settings."""

    bank: Bank
    text: str
    vector: Sequence[float] | None
    params: QueryParams
    search: Search

    @property
    def most(self) -> int:
        return self.params.max_chunks or MAX_CHUNKS


class Retrieval:
    """Answers queries."""

    def __init__(
        self, store: Store, documents: Documents, inference: Inference, neighbourhoods: Neighbourhoods
    ) -> None:
        """Keep the parts."""
        self._neighbourhoods = neighbourhoods
        self._store = store
        self._documents = documents
        self._inference = inference

    async def query(self, bank: Bank, request: QueryMemoryBankRequest) -> Answer:
        """Return the results, best first.

        Raises:
            WrongState: a setting is not one of the bank's kind.
            InvalidField: the vector has another number of components than the bank's, or there is nothing to look for.
        """
        _check(bank, request)
        if bank.kind == KEYVALUE:
            return Answer(_within(await self._by_key(bank, request), request.params))
        if bank.kind == GRAPH:
            return await self._around(bank, request)
        question = await self._question(bank, request)
        try:
            results = await self._ranked(question)
        except DataLoss as error:
            if not await self._documents.has_bank(bank.uid):
                raise ResourceNotFound(BANK, bank.bank_id) from error
            raise
        return Answer(_within(results, request.params))

    async def _around(self, bank: Bank, request: QueryMemoryBankRequest) -> Answer:
        params = request.params
        text = " ".join(_texts(request)).strip()
        if not text and not params.entities:
            raise InvalidField("query", "a text that names entities is needed, or entities")
        around = Around(
            names=params.entities,
            text=text,
            hops=params.max_hops or 1,
            relations=frozenset(params.relations),
            out=params.direction != GRAPH_DIRECTION_IN,
            back=params.direction != GRAPH_DIRECTION_OUT,
            conditions=conditions(params.filter),
            most=params.max_chunks or MAX_CHUNKS,
        )
        found = await self._neighbourhoods.look(bank.uid, around)
        results = [Result(one.piece, one.info, 1 / (1 + one.hops)) for one in found.pieces]
        if params.level == RESULT_LEVEL_DOCUMENT:
            best: dict[str, Result] = {}
            for result in results:
                best.setdefault(result.info.revision, result)
            results = list(best.values())
        return Answer(_within(results, params), found.entities, found.relations)

    async def _by_key(self, bank: Bank, request: QueryMemoryBankRequest) -> list[Result]:
        keys = list(dict.fromkeys(request.params.keys or _texts(request)))
        found = await self._documents.whole(bank.uid, keys)
        chosen = conditions(request.params.filter)
        results = []
        for whole in (found[key] for key in keys if key in found):
            if chosen.hold(features(whole.info.metadata)):
                text = whole.text or ""
                piece = Piece(0, text, 0, len(text), token_rule.count(text))
                results.append(Result(piece, whole.info, 1.0))
        return results

    async def _question(self, bank: Bank, request: QueryMemoryBankRequest) -> _Question:
        text = " ".join(_texts(request)).strip()
        vector = _vector(request)
        if not text and (vector is None or bank.kind == KEYWORD):
            raise InvalidField("query", "a text to look for is needed")
        if bank.embedding_model and vector is None:
            vector = (await self._inference.embed(bank.embedding_model, [text]))[0]
        if vector is not None and len(vector) != bank.dimension:
            raise InvalidField("vector", f"{bank.dimension} components are needed")
        search = Search(
            limit=0,
            conditions=conditions(request.params.filter),
            exact=request.params.exact,
            with_vectors=request.params.HasField("diversity"),
        )
        return _Question(bank, text, vector, request.params, search)

    async def _ranked(self, question: _Question) -> list[Result]:
        """Search, order anew, leave out what scores too little, and make the rest unlike each other, as was asked."""
        params = question.params
        reranker = _reranker(question)
        wanted = question.most
        if reranker:
            wanted = max(wanted, params.rerank_candidates or _TIMES * question.most)
        if params.HasField("diversity"):
            wanted = max(wanted, params.diversity.candidates or _TIMES * question.most)
        hits, infos = await self._candidates(question, wanted)
        if reranker and hits:
            if not question.text:
                raise InvalidField("query", "ordering anew needs the query's text")
            scores = await self._inference.score(reranker, question.text, [hit.piece.text for hit in hits])
            hits = sorted(
                (replace(hit, score=score) for hit, score in zip(hits, scores, strict=True)), key=lambda hit: -hit.score
            )
        if params.HasField("min_score"):
            hits = [hit for hit in hits if hit.score >= params.min_score]
        if params.HasField("diversity"):
            weight = params.diversity.relevance_weight if params.diversity.HasField("relevance_weight") else 0.5
            hits = diversify(hits, _relevance(question, hits, reranked=bool(reranker)), weight, question.most)
        return [Result(hit.piece, infos[hit.revision], hit.score) for hit in hits]

    async def _candidates(self, question: _Question, wanted: int) -> tuple[list[Hit], dict[str, Info]]:
        """Return the best hits whose revisions are in force, deeper and deeper until there are enough."""
        limit = wanted
        while True:
            hits, infos, all_seen = await self._in_force(question, limit)
            if question.params.level == RESULT_LEVEL_DOCUMENT:
                best: dict[str, Hit] = {}
                for hit in hits:
                    best.setdefault(hit.revision, hit)
                hits = list(best.values())
            if len(hits) >= wanted or all_seen or limit >= _DEEPEST:
                return hits[:wanted], infos
            limit = min(_DEEPEST, limit * _TIMES)

    async def _in_force(self, question: _Question, limit: int) -> tuple[list[Hit], dict[str, Info], bool]:
        """Search, and look again as long as revisions came up that were not in force, or left out that now are.

        A document that is replaced between the search and the look at the database so shows its new chunks, never none.
        """
        without: frozenset[str] = frozenset()
        for _ in range(_LOOKS):
            hits, all_seen = await self._look(question, limit, without)
            seen = {hit.revision for hit in hits}
            infos = await self._documents.by_revision(question.bank.uid, seen | without)
            stale = (seen | without) - infos.keys()
            if seen <= infos.keys() and without.isdisjoint(infos):
                break
            without = frozenset(stale)
        return [hit for hit in hits if hit.revision in infos], infos, all_seen

    async def _look(self, question: _Question, limit: int, without: frozenset[str]) -> tuple[list[Hit], bool]:
        """Search the store; also tell whether all that could be found was."""
        bank, store = question.bank, self._store
        search = replace(question.search, limit=limit, without=tuple(sorted(without)))
        if bank.kind == KEYWORD:
            hits = await store.matching(bank.uid, question.text, search)
            return hits, len(hits) < limit
        assert question.vector is not None
        if bank.kind == VECTOR:
            hits = await store.nearest(bank.uid, question.vector, search)
            return hits, len(hits) < limit
        deep = replace(search, limit=max(limit, _DEPTH))
        by_meaning, by_words = _weights(question)
        dense, words = await asyncio.gather(
            _unless(by_meaning == 0, lambda: store.nearest(bank.uid, question.vector or (), deep)),
            _unless(by_words == 0 or not question.text, lambda: store.matching(bank.uid, question.text, deep)),
        )
        fused = fuse([(by_meaning, dense), (by_words, words)], bank.config.hybrid.rrf_k)
        return fused, len(dense) < deep.limit and len(words) < deep.limit


async def _unless(skipped: bool, search: Callable[[], Awaitable[list[Hit]]]) -> list[Hit]:
    return [] if skipped else await search()


def _check(bank: Bank, request: QueryMemoryBankRequest) -> None:
    for descriptor, _ in request.params.ListFields():
        if bank.kind not in _USES.get(descriptor.name, {bank.kind}):
            raise WrongState(f"params.{descriptor.name}: a bank of kind {bank.kind} has no use for it")
    if request.HasField("vector") and bank.kind not in _VECTORS:
        raise WrongState(f"vector: a bank of kind {bank.kind} has no vectors")


def _texts(request: QueryMemoryBankRequest) -> Sequence[str]:
    if request.query.HasField("texts"):
        return request.query.texts.values
    return [request.query.text] if request.query.HasField("text") else []


def _vector(request: QueryMemoryBankRequest) -> Sequence[float] | None:
    """Return the vector that a query brings, None if it brings none."""
    if not request.HasField("vector"):
        return None
    vector = list(request.vector.values)
    # the sum of single precision numbers is finite in double precision if they are
    if not isfinite(sum(vector)):
        raise InvalidField("vector", "finite components are needed")
    return vector


def _reranker(question: _Question) -> str:
    if question.params.HasField("rerank_model"):
        return question.params.rerank_model
    return question.bank.config.hybrid.rerank_model if question.bank.kind == HYBRID else ""


def _weights(question: _Question) -> tuple[float, float]:
    params, config = question.params, question.bank.config.hybrid
    return (
        params.vector_weight if params.HasField("vector_weight") else config.vector_weight,
        params.keyword_weight if params.HasField("keyword_weight") else config.keyword_weight,
    )


def _relevance(question: _Question, hits: Sequence[Hit], *, reranked: bool) -> Sequence[float]:
    """Return what diversity weighs against unlikeness: cosines as they are, other scores stretched to 0 to 1."""
    scores = [hit.score for hit in hits]
    if not scores or (question.bank.kind == VECTOR and not reranked):
        return scores
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def _within(results: Sequence[Result], params: QueryParams) -> list[Result]:
    """Return the results up to the limits on their number, score and tokens."""
    kept: list[Result] = []
    room = params.max_tokens if params.HasField("max_tokens") else None
    for result in results[: params.max_chunks or MAX_CHUNKS]:
        if params.HasField("min_score") and result.score < params.min_score:
            continue
        if room is not None:
            if result.piece.tokens > room:
                break
            room -= result.piece.tokens
        kept.append(result)
    return kept
