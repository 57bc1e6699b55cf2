"""A curve drawn with characters: a plot of numbers over steps for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_EMPTY: Final = 0x2800
_LABEL: Final = 10


def curve(points: Sequence[tuple[float, float]], *, width: int = 70, height: int = 12) -> list[str]:
    """Return the lines of a plot of so many characters; no points make no lines.

    Each character holds two by four dots (Braille); a column of dots shows the mean of its points.
    """
    if not points:
        return []
    columns = _columns(points, (width - _LABEL - 1) * 2)
    values = [value for value in columns if value is not None]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    rows = height * 4
    cells = [[_EMPTY] * (width - _LABEL - 1) for _ in range(height)]
    for x, value in enumerate(columns):
        if value is None:
            continue
        y = round((high - value) / span * (rows - 1))
        cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    labels = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    lines = [
        f"{labels.get(number, ''):>{_LABEL}}┤" + "".join(map(chr, row)).rstrip(chr(_EMPTY))
        for number, row in enumerate(cells)
    ]
    first, last = f"{points[0][0]:g}", f"{points[-1][0]:g}"
    return [*lines, " " * (_LABEL + 1) + first + last.rjust(width - _LABEL - 1 - len(first))]


def _columns(points: Sequence[tuple[float, float]], count: int) -> list[float | None]:
    """Return the mean of the values in each of so many equal parts of the steps; None where there are none."""
    first, last = points[0][0], points[-1][0]
    span = (last - first) or 1.0
    found: list[list[float]] = [[] for _ in range(count)]
    for step, value in points:
        found[min(count - 1, int((step - first) / span * count))].append(value)
    return [sum(values) / len(values) if values else None for values in found]
