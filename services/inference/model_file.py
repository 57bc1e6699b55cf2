"""The file that keeps what was registered at run time, so that a restarted service knows it again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.inference.engine import ModelKind
from services.inference.model_spec import AdapterSpec, ModelSpec


@dataclass(frozen=True, slots=True)
class Registered:
    """What the file holds; the adapters may be of models that are not in it."""

    models: tuple[ModelSpec, ...] = ()
    adapters: tuple[AdapterSpec, ...] = ()


class ModelFile:
    """A JSON file of models and adapters."""

    def __init__(self, path: Path) -> None:
        """Keep the path; the file need not exist."""
        self._path = path

    def read(self) -> Registered:
        """Return what is registered; nothing if there is no file."""
        if not self._path.is_file():
            return Registered()
        records: dict[str, list[dict[str, Any]]] = json.loads(self._path.read_text(encoding="utf-8"))
        return Registered(
            tuple(_model(record) for record in records["models"]),
            tuple(AdapterSpec(**record) for record in records["adapters"]),
        )

    def write(self, models: Iterable[ModelSpec], adapters: Iterable[AdapterSpec]) -> None:
        """Write everything, whole or not at all."""
        records = {
            "models": [asdict(spec) | {"kind": spec.kind.value} for spec in models],
            "adapters": [asdict(spec) for spec in adapters],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".new")
        partial.write_text(json.dumps(records, indent=1), encoding="utf-8")
        os.replace(partial, self._path)


def _model(record: dict[str, Any]) -> ModelSpec:
    lists = {name: tuple(record[name]) for name in ("addresses", "aliases")}
    return ModelSpec(**(record | lists | {"kind": ModelKind(record["kind"])}))
