"""What the trials of a search try: numbers determined by the seed and the trial. It knows neither Ray nor torch."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

from services.training.recipe.spec import Dimension, Search, Spec


def drawn(search: Search, seed: int, number: int) -> list[float | int]:
    """Return what a trial, counted from 0, tries in each dimension of a search."""
    chance = random.Random(f"{seed} {number}")
    return [_drawn(dimension, chance) for dimension in search.dimensions]


def tried(spec: Spec, search: Search, number: int) -> Spec:
    """Return what a trial trains: the spec with the numbers that it tries."""
    made = replace(spec, search=None)
    for dimension, value in zip(search.dimensions, drawn(search, spec.loop.seed, number), strict=True):
        part, _, name = dimension.path.partition(".")
        inner: Any = getattr(made, part)
        made = replace(made, **{part: replace(inner, **{name: value})})
    return made


def value_at(spec: Spec, path: str) -> Any:
    """Return the number of a spec at a path."""
    part, _, name = path.partition(".")
    return getattr(getattr(spec, part), name)


def _drawn(dimension: Dimension, chance: random.Random) -> float | int:
    if dimension.values:
        value = chance.choice(dimension.values)
    else:
        assert dimension.low is not None
        assert dimension.high is not None
        low, high = dimension.low, dimension.high
        value = math.exp(chance.uniform(math.log(low), math.log(high))) if dimension.log else chance.uniform(low, high)
    return round(value) if dimension.whole else value
