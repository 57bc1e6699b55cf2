"""Answers of a model compared with references: question answering, summarization, text generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from mesh.errors import InvalidField
from services.eval.evaluations import dialogs
from services.eval.evaluations.generation import Answer, Ask, Model, said
from services.eval.evaluations.sample import Outcome, Row, Statistics
from services.eval.evaluations.scorers import Scorer


@dataclass(frozen=True, slots=True)
class Wording:
    """How rows become what a model is asked.

    ``column`` is what the model is to answer, a text or a dialog; a text is put into ``template``, a dialog goes to the
    model as it is. ``system`` leads both. ``plain`` sends a text as one to continue, not as a message.
    """

    column: str
    template: str
    system: str | None = None
    plain: bool = False

    def ask(self, row: Row) -> Ask:
        """Return what the model is asked for a row.

        Raises:
            InvalidField: the row has no such text or dialog.
        """
        lead = [] if self.system is None else [dialogs.system(self.system)]
        value = row.get(self.column)
        if isinstance(value, list):
            return Ask([*lead, *dialogs.dialog(value, self.column)])
        row.text(self.column)
        text = dialogs.filled(self.template, row)
        return Ask(text=text) if self.plain and not lead else Ask([*lead, dialogs.user(text)])


@dataclass(frozen=True, slots=True)
class Asked:
    """A row with what the model is asked and what would be right."""

    row: Row
    ask: Ask
    references: Sequence[str] = ()


Prepare: TypeAlias = Callable[[Row], Asked]


class Answers:
    """Has a model answer and compares the answers.

    Args:
        model: who answers.
        prepare: what is asked and what would be right; InvalidField for a row that can't be used.
        scorers: how answers are compared.
    """

    def __init__(self, model: Model, prepare: Prepare, scorers: Sequence[Scorer]) -> None:
        self._model = model
        self._prepare = prepare
        self._scorers = tuple(scorers)

    async def score(self, rows: Sequence[Row]) -> AsyncGenerator[Outcome]:
        """Yield each row's answer with its scores."""
        asked, refused = prepared(rows, self._prepare)
        for outcome in refused:
            yield outcome
        async with aclosing(self._model.answers([item.ask for item in asked])) as answers:
            async for answer in answers:
                yield await self._outcome(asked[answer.index], answer)

    async def _outcome(self, asked: Asked, answer: Answer) -> Outcome:
        if answer.message is None:
            return Outcome(asked.row, references=asked.references, error=answer.error)
        text = said(answer.message)
        scores, statistics = await asyncio.to_thread(self._scores, text, asked.references)
        return Outcome(asked.row, text, asked.references, scores, statistics)

    def _scores(self, text: str, references: Sequence[str]) -> tuple[dict[str, float], Statistics]:
        scores: dict[str, float] = {}
        statistics: dict[str, Sequence[float]] = {}
        for scorer in self._scorers:
            some, numbers = scorer.score(text, references)
            scores |= some
            statistics |= numbers
        return scores, statistics


def prepared(rows: Sequence[Row], prepare: Prepare) -> tuple[list[Asked], list[Outcome]]:
    """Return what can be asked, and the rows that can't be used with the reason."""
    asked, refused = [], []
    for row in rows:
        try:
            asked.append(prepare(row))
        except InvalidField as error:
            refused.append(Outcome(row, error=error.message))
    return asked, refused
