"""Rows of a dataset and what became of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from llamastack.common.v1.value_pb2 import JsonObject
from mesh.errors import InvalidField
from mesh.json_text import Loose, loose_of

Statistics: TypeAlias = Mapping[str, Sequence[float]]
"""By the metric's name, the numbers that are summed over samples and that the metric's formula makes a value of."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a dataset by its position, from 0."""

    index: int
    data: JsonObject

    def get(self, column: str) -> Loose:
        """Return the value of a column; None for one that is not there."""
        return loose_of(self.data.fields[column]) if column in self.data.fields else None

    def text(self, column: str) -> str:
        """Return the text of a column.

        Raises:
            InvalidField: there is none.
        """
        value = self.get(column)
        if not isinstance(value, str):
            raise InvalidField(column, "a text is needed")
        return value

    def texts(self, one: str, several: str) -> Sequence[str]:
        """Return the texts of the column ``several`` (a list) if it is there, else the one of ``one``.

        Raises:
            InvalidField: there is neither, or the list is empty or holds something else.
        """
        value = self.get(several)
        if value is None:
            return [self.text(one)]
        texts = [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
        if not texts or not isinstance(value, list) or len(texts) < len(value):
            raise InvalidField(several, "a list of one or more texts is needed")
        return texts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: scores to look at and statistics to sum up, or why there are none."""

    row: Row
    output: str = ""
    references: Sequence[str] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    statistics: Statistics = field(default_factory=dict)
    error: str | None = None


class Task(Protocol):
    """Scores rows."""

    def score(self, rows: Sequence[Row]) -> AsyncGenerator[Outcome]:
        """Yield what became of each row, in any order.

        Raises:
            MeshError: nothing can be scored at present.
        """
        ...
