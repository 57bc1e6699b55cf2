"""How well memory banks find documents: nDCG, recall and precision at cutoffs, and the mean reciprocal rank.

nDCG@k is the sum over the first k documents of gain / log2(rank + 1), divided by that of the best order (Järvelin and
Kekäläinen 2002).
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from llamastack.memory.v1 import query_pb2 as pb
from mesh.errors import InvalidField, MeshError, ResourceNotFound
from services.eval.evaluations.generation import Patience, patiently
from services.eval.evaluations.sample import Outcome, Row
from services.eval.evaluations.scorers import means


class Retrieval:
    """Asks memory banks and looks for the relevant documents among what they find.

    Args:
        stub: the memory service.
        banks: who is asked; their documents are merged by score.
        cutoffs: the ranks k to measure at.
        patience: how long the service may be away.
    """

    def __init__(
        self, stub: Any, banks: Sequence[str], cutoffs: Sequence[int], patience: Patience | None = None
    ) -> None:
        self._stub = stub
        self._banks = tuple(banks)
        self._cutoffs = tuple(sorted(cutoffs)) or (10,)
        self._patience = patience or Patience()

    async def score(self, rows: Sequence[Row]) -> AsyncGenerator[Outcome]:
        """Yield how well each row's query is answered."""
        for done in asyncio.as_completed([self._measure(row) for row in rows]):
            yield await done

    async def _measure(self, row: Row) -> Outcome:
        try:
            query, gains = row.text("query"), relevant(row)
        except InvalidField as error:
            return Outcome(row, error=error.message)
        references = sorted(gains, key=lambda document: (-gains[document], document))
        try:
            found = await self._found(query)
        except MeshError as error:
            if isinstance(error, ResourceNotFound) or error.retry_after_s is not None:
                raise
            return Outcome(row, references=references, error=error.message)
        scores, statistics = means(ranked(found, gains, self._cutoffs))
        return Outcome(row, json.dumps(found, ensure_ascii=False), references, scores, statistics)

    async def _found(self, query: str) -> Sequence[str]:
        """Return the documents that the banks find, best first, each once."""
        answers = await asyncio.gather(*(self._ask(bank, query) for bank in self._banks))
        best: dict[str, float] = {}
        for answer in answers:
            for chunk, score in zip(answer.chunks, answer.scores, strict=True):
                best[chunk.document_id] = max(score, best.get(chunk.document_id, -math.inf))
        return sorted(best, key=lambda document: (-best[document], document))[: self._cutoffs[-1]]

    async def _ask(self, bank: str, query: str) -> pb.QueryMemoryBankResponse:
        params = pb.QueryParams(max_chunks=self._cutoffs[-1], level=pb.RESULT_LEVEL_DOCUMENT)
        request = pb.QueryMemoryBankRequest(bank_id=bank, query=pb.QueryText(text=query), params=params)
        answer: pb.QueryMemoryBankResponse = await patiently(
            lambda: self._stub.QueryMemoryBank(request), self._patience
        )
        return answer


def relevant(row: Row) -> Mapping[str, float]:
    """Return the gain of each relevant document.

    Raises:
        InvalidField: the row does not say.
    """
    value = row.get("relevant")
    gains: dict[str, float] = {}
    if isinstance(value, list):
        gains = {document: 1.0 for document in value if isinstance(document, str)}
    elif isinstance(value, dict):
        gains = {document: float(gain) for document, gain in value.items() if isinstance(gain, int | float)}
    whole = isinstance(value, list | dict) and len(gains) == len(value)
    gains = {document: gain for document, gain in gains.items() if gain != 0}
    if not whole or not gains or min(gains.values()) < 0:
        raise InvalidField(
            "relevant", "a list of document ids, or an object of gains above 0 by document id, is needed"
        )
    return gains


def ranked(found: Sequence[str], gains: Mapping[str, float], cutoffs: Sequence[int]) -> Mapping[str, float]:
    """Return the scores of a ranking, each 0 to 1."""
    best = sorted(gains.values(), reverse=True)
    scores = {"mrr": next((1 / rank for rank, document in enumerate(found, 1) if document in gains), 0.0)}
    for cutoff in cutoffs:
        hits = sum(document in gains for document in found[:cutoff])
        scores[f"ndcg@{cutoff}"] = _dcg([gains.get(document, 0.0) for document in found[:cutoff]]) / _dcg(best[:cutoff])
        scores[f"recall@{cutoff}"] = hits / len(gains)
        scores[f"precision@{cutoff}"] = hits / cutoff
    return scores


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
