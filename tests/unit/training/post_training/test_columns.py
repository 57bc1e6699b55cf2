"""Which column plays which part."""

from __future__ import annotations

import pytest

from mesh.errors import InvalidField
from services.training.post_training.columns import parts
from services.training.recipe.spec import Kind
from services.training.revisions import ColumnType

DIALOG, TEXT, NUMBER = ColumnType.DIALOG, ColumnType.TEXT, ColumnType.NUMBER


@pytest.mark.parametrize(
    ("kind", "columns", "expected"),
    [
        (Kind.SFT, {"n": NUMBER, "talk": DIALOG, "text": TEXT}, {"dialog": "talk"}),
        (Kind.SFT, {"prompt": TEXT, "completion": TEXT}, {"prompt": "prompt", "completion": "completion"}),
        (Kind.SFT, {"prompt": DIALOG, "completion": TEXT}, {"prompt": "prompt", "completion": "completion"}),
        (Kind.SFT, {"body": TEXT, "more": TEXT}, {"text": "body"}),
        (Kind.DPO, {"chosen": DIALOG, "rejected": DIALOG}, {"chosen": "chosen", "rejected": "rejected"}),
        (
            Kind.DPO,
            {"prompt": TEXT, "chosen": TEXT, "rejected": TEXT},
            {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
        ),
        (Kind.GRPO, {"prompt": DIALOG}, {"prompt": "prompt"}),
        (Kind.GRPO, {"prompt": TEXT, "reference": TEXT}, {"prompt": "prompt", "reference": "reference"}),
    ],
)
def test_columns_play_the_parts_of_the_contract(
    kind: Kind, columns: dict[str, ColumnType], expected: dict[str, str]
) -> None:
    assert parts(kind, columns, "dataset") == expected


@pytest.mark.parametrize(
    ("kind", "columns", "says"),
    [
        (Kind.SFT, {"n": NUMBER}, "a column of type dialog, columns prompt and completion, or one of type text"),
        (Kind.DPO, {"chosen": TEXT, "rejected": TEXT}, "a column prompt of type dialog or text"),
        (Kind.DPO, {"chosen": TEXT, "rejected": DIALOG}, "chosen and rejected of the same type"),
        (Kind.GRPO, {"prompt": NUMBER}, "a column prompt of type dialog or text"),
        (Kind.GRPO, {"prompt": TEXT}, "a column reference of type text"),
    ],
)
def test_a_missing_column_is_named(kind: Kind, columns: dict[str, ColumnType], says: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parts(kind, columns, "dataset", reference=True)
    assert refusal.value.message == f"dataset.columns: {says}"
