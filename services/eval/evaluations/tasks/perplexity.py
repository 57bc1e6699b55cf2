"""Perplexity of reference texts by the engine's own log-probabilities of prompts.

The negative log-likelihood of a text given its prompt is that of the tokens of prompt and text together, without the
first ones, as many as the prompt alone has. Without a prompt it is that of all tokens but the first, which nothing
precedes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from mesh.errors import InvalidField, MeshError, ResourceNotFound
from services.eval.evaluations.generation import Model
from services.eval.evaluations.sample import Outcome, Row
from services.eval.evaluations.tasks.answers import Answers

PERPLEXITY = "perplexity"


class Perplexity:
    """Measures the perplexity of each row's text.

    Args:
        model: who reads.
        also: what else is measured on the same rows; None for nothing.
    """

    def __init__(self, model: Model, also: Answers | None = None) -> None:
        self._model = model
        self._also = also

    async def score(self, rows: Sequence[Row]) -> AsyncGenerator[Outcome]:
        """Yield each row's perplexity, joined with what else is measured."""
        measured = await asyncio.gather(*(self._measure(row) for row in rows))
        if self._also is None:
            for outcome in measured:
                yield outcome
            return
        by_index = {outcome.row.index: outcome for outcome in measured}
        async with aclosing(self._also.score(rows)) as others:
            async for other in others:
                yield _joined(by_index[other.row.index], other)

    async def _measure(self, row: Row) -> Outcome:
        try:
            text = row.text("text")
            loss, tokens = await self._loss(row.get("prompt"), text)
        except ResourceNotFound:
            raise
        except (InvalidField, MeshError) as error:
            if error.retry_after_s is not None:
                raise
            return Outcome(row, error=error.message)
        if tokens == 0:
            return Outcome(row, references=[text], error="text: at least one token after the first is needed")
        try:
            score = math.exp(loss / tokens)
        except OverflowError:
            score = math.inf
        return Outcome(row, "", [text], {PERPLEXITY: score}, {PERPLEXITY: [loss, float(tokens)]})

    async def _loss(self, prompt: object, text: str) -> tuple[float, int]:
        """Return the negative log-likelihood of a text given a prompt, and the number of tokens that it is over."""
        if prompt is not None and not isinstance(prompt, str):
            raise InvalidField("prompt", "a text is needed for perplexity")
        if not prompt:
            logprobs = await self._model.prompt_logprobs(text)
        else:
            whole = await self._model.prompt_logprobs(prompt + text)
            logprobs = whole[max(0, await self._model.prompt_tokens(prompt) - 1) :]
        return -sum(logprobs), len(logprobs)


def _joined(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(
        row=one.row,
        output=other.output,
        references=other.references or one.references,
        scores={**one.scores, **other.scores},
        statistics={**one.statistics, **other.statistics},
        error=one.error or other.error,
    )
