"""Plots of a report as PNG images; drawn without a screen and without matplotlib's global state."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from services.eval.evaluations.estimates import Estimate

_INK: Final = "#1f2933"
_FAINT: Final = "#9aa5b1"
_GRID: Final = "#e4e7eb"
_COLOUR: Final = "#2563a8"
_BAND: Final = "#a9c8ea"
_DPI: Final = 144
_ACROSS: Final = 3
_MOST: Final = 24


def metrics_plot(title: str, found: Mapping[str, Estimate], confidence: float) -> bytes:
    """Return a plot with one row per metric: its value and its interval on a scale of its own."""
    names = list(found)[:_MOST]
    rows = max(1, len(names))
    figure = Figure(figsize=(8, 0.95 + 0.72 * rows), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 1, squeeze=False)
    for axes, name in zip(grid[:, 0], names, strict=False):
        _row(axes, name, found[name])
    if not names:
        grid[0, 0].set_axis_off()
    height = figure.get_figheight()
    figure.suptitle(
        _short(title, 60), x=0.02, y=1 - 0.12 / height, ha="left", va="top", fontsize=13, weight="bold", color=_INK
    )
    note = f"value and {confidence * 100:g} % interval"
    figure.text(0.98, 1 - 0.16 / height, note, ha="right", va="top", fontsize=9, color=_FAINT)
    figure.subplots_adjust(left=0.3, right=0.86, top=1 - 0.6 / height, bottom=0.34 / height, hspace=1.1)
    return _png(figure)


def scores_plot(scores: Mapping[str, Sequence[float | None]]) -> bytes:
    """Return histograms of the samples' scores, one per metric."""
    names = list(scores)[:_MOST]
    # four look better as two by two
    across = 2 if len(names) == 4 else min(_ACROSS, len(names))
    down = -(-len(names) // across)
    layout = ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12)
    figure = Figure(figsize=(max(4.4, 3.4 * across), 2.7 * down), dpi=_DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    cells = figure.subplots(down, across, squeeze=False)
    for number, axes in enumerate(cells.flat):
        if number >= len(names):
            axes.set_axis_off()
            continue
        known = [value for value in scores[names[number]] if value is not None and math.isfinite(value)]
        _plain(axes)
        axes.set_title(_short(names[number], 34), fontsize=10, loc="left", color=_INK)
        axes.hist(known, bins=_edges(known), color=_COLOUR, edgecolor="white", linewidth=0.6)
        axes.set_ylabel("samples", fontsize=8, color=_FAINT)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    return _png(figure)


def _row(axes: Any, name: str, estimate: Estimate) -> None:
    """Draw one metric: a band from end to end of its interval and a dot at its value."""
    _plain(axes)
    axes.set_yticks([])
    low, high = _scale(estimate)
    axes.set_xlim(low, high)
    axes.set_ylim(-1, 1)
    axes.spines["left"].set_visible(False)
    axes.axhline(0, color=_GRID, linewidth=1.2, zorder=1)
    if estimate.low is not None and estimate.high is not None and math.isfinite(estimate.high):
        axes.plot([estimate.low, estimate.high], [0, 0], color=_BAND, linewidth=9, solid_capstyle="round", zorder=2)
    if math.isfinite(estimate.value):
        axes.plot([estimate.value], [0], "o", color=_COLOUR, markersize=8, markeredgecolor="white", zorder=3)
    axes.text(
        -0.04, 0.5, _short(name, 32), transform=axes.transAxes, ha="right", va="center", fontsize=_fit(name), color=_INK
    )
    axes.text(
        1.04,
        0.5,
        f"{estimate.value:.4g}",
        transform=axes.transAxes,
        ha="left",
        va="center",
        fontsize=11,
        weight="bold",
        color=_INK,
    )


def _fit(name: str) -> float:
    """Return the size in which a name fits beside its row."""
    return 10 if len(name) <= 22 else 7.5


def _scale(estimate: Estimate) -> tuple[float, float]:
    """Return the ends of a metric's scale: 0 to 1 or 0 to 100 where its values can lie there, else around them."""
    ends = [
        value for value in (estimate.value, estimate.low, estimate.high) if value is not None and math.isfinite(value)
    ]
    if not ends or (min(ends) >= 0 and max(ends) <= 1):
        return -0.02, 1.02
    if min(ends) >= 0 and max(ends) <= 100 and max(ends) > 10:
        return -2.0, 102.0
    margin = (max(ends) - min(ends)) * 0.5 or abs(ends[0]) * 0.1
    return min(ends) - margin, max(ends) + margin


def _edges(values: Sequence[float]) -> Any:
    if values and min(values) >= 0 and max(values) <= 1:
        return np.linspace(0, 1, 21)
    return 20


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_FAINT)
    axes.tick_params(colors=_FAINT, labelsize=8, length=3)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)


def _short(text: str, most: int) -> str:
    """Return a text that fits, with what matplotlib would take for mathematics as it is."""
    return (text if len(text) <= most else f"{text[: most - 1]}…").replace("$", r"\$")


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
