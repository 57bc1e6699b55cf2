"""The rows of a generated dataset."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any, Final

from llamastack.synthetic_data_generation.v1 import job_pb2 as pb
from services.training.datasets.shards import written
from services.training.dialogs import dialog_of
from services.training.revisions import ColumnType
from services.training.synthetic.answers import Outcome

DIALOGS: Final[Mapping[str, ColumnType]] = {"dialog": ColumnType.DIALOG, "score": ColumnType.NUMBER}
PREFERENCES: Final[Mapping[str, ColumnType]] = {
    "chosen": ColumnType.DIALOG,
    "chosen_score": ColumnType.NUMBER,
    "rejected": ColumnType.DIALOG,
    "rejected_score": ColumnType.NUMBER,
}


def columns_of(layout: pb.OutputLayout.ValueType) -> Mapping[str, ColumnType]:
    """Return the columns of a layout."""
    return PREFERENCES if layout == pb.OUTPUT_LAYOUT_PREFERENCES else DIALOGS


def rows_of(outcome: Outcome, layout: pb.OutputLayout.ValueType) -> Iterator[dict[str, Any]]:
    """Yield the rows of a prompt.

    As dialogs: one per answer that stayed, highest score first. As preferences: one if the answers have unlike scores,
    with the best and the worst of all of them; of several, the first that was sampled.
    """
    answers, scores = outcome.scored.scored_generations, outcome.scores
    dialog = dialog_of(outcome.scored.dialog)

    def ended(index: int) -> list[dict[str, Any]]:
        return [*dialog, *dialog_of([answers[index].message])]

    if layout != pb.OUTPUT_LAYOUT_PREFERENCES:
        for index in outcome.kept:
            yield {"dialog": ended(index), "score": scores[index]}
        return
    if len(set(scores)) > 1:
        best, worst = scores.index(max(scores)), scores.index(min(scores))
        yield {
            "chosen": ended(best),
            "chosen_score": scores[best],
            "rejected": ended(worst),
            "rejected_score": scores[worst],
        }


async def lines_of(outcomes: AsyncIterator[list[Outcome]], layout: pb.OutputLayout.ValueType) -> AsyncGenerator[bytes]:
    """Yield the rows of outcomes as lines of JSON, several at a time."""
    async for several in outcomes:
        lines = [written(row) + b"\n" for outcome in several for row in rows_of(outcome, layout)]
        if lines:
            yield b"".join(lines)
