"""Which column of a dataset plays which part in a training."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.errors import InvalidField
from services.training.recipe.spec import Kind
from services.training.revisions import ColumnType

DIALOG, TEXT = ColumnType.DIALOG, ColumnType.TEXT


def parts(kind: Kind, columns: Mapping[str, ColumnType], path: str, *, reference: bool = False) -> dict[str, str]:
    """Return the columns by the part that they play, as :class:`Rows` has them.

    ``path`` is the field of the request that names the dataset, ``reference`` whether right answers are needed.

    Raises:
        InvalidField: a column is missing or of another type.
    """
    if kind is Kind.SFT:
        return _examples(columns, path)
    if kind is Kind.DPO:
        return _preferences(columns, path)
    found = {"prompt": _of("prompt", columns, (DIALOG, TEXT), path)}
    if reference or "reference" in columns:
        found["reference"] = _of("reference", columns, (TEXT,), path)
    return found


def _examples(columns: Mapping[str, ColumnType], path: str) -> dict[str, str]:
    for name, kind in columns.items():
        if kind is DIALOG and name not in ("prompt", "chosen", "rejected"):
            return {"dialog": name}
    if "prompt" in columns and "completion" in columns:
        return {
            "prompt": _of("prompt", columns, (DIALOG, TEXT), path),
            "completion": _of("completion", columns, (TEXT,), path),
        }
    for part, wanted in (("dialog", DIALOG), ("text", TEXT)):
        for name, kind in columns.items():
            if kind is wanted:
                return {part: name}
    raise InvalidField(f"{path}.columns", "a column of type dialog, columns prompt and completion, or one of type text")


def _preferences(columns: Mapping[str, ColumnType], path: str) -> dict[str, str]:
    found = {part: _of(part, columns, (DIALOG, TEXT), path) for part in ("chosen", "rejected")}
    if columns["chosen"] is not columns["rejected"]:
        raise InvalidField(f"{path}.columns", "chosen and rejected of the same type")
    if columns["chosen"] is TEXT:
        found["prompt"] = _of("prompt", columns, (DIALOG, TEXT), path)
    return found


def _of(name: str, columns: Mapping[str, ColumnType], kinds: tuple[ColumnType, ...], path: str) -> str:
    if columns.get(name) not in kinds:
        raise InvalidField(f"{path}.columns", f"a column {name} of type {' or '.join(kinds)}")
    return name
