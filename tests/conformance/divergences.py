"""Reads ``docs/divergences.toml`` and matches its entries with differences."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.comparison import Difference


@dataclass(frozen=True)
class Divergence:
    """One named divergence: a kind of difference, the places where it may occur, and why."""

    name: str
    kind: str
    where: tuple[str, ...]
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Tell whether this entry names the difference."""
        return any(self.covers_at(place, difference) for place in self.where)

    def covers_at(self, place: str, difference: Difference) -> bool:
        """Tell whether one place of this entry names the difference."""
        pattern = ".*".join(re.escape(part) for part in place.split("*"))
        return difference.kind == self.kind and re.fullmatch(pattern, difference.where) is not None


def load(path: Path) -> Sequence[Divergence]:
    """Return the entries of a file, in order."""
    entries = tomllib.loads(path.read_text())["divergence"]
    return [Divergence(entry["name"], entry["kind"], tuple(entry["where"]), entry["reason"]) for entry in entries]
