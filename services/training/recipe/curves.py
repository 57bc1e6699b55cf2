"""Draws what was measured as PNG files, and writes it as a table and the configuration as JSON."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from services.training.recipe.folder import JobFolder

Points = Sequence[tuple[int, float]]
CURVES: Final = ("loss", "margin", "reward", "accuracy", "learning_rate", "gradient_norm", "tokens_per_second")


def draw(folder: JobFolder) -> None:
    """Write a curve for everything that was measured; of a step that was done twice the later measurement counts."""
    measured = points(folder.events_file)
    folder.files.mkdir(parents=True, exist_ok=True)
    for name in CURVES:
        lines = {key: measured[key] for key in (name, f"validation_{name}") if measured.get(key)}
        if lines:
            _plot(folder.files / f"{name}.png", name, lines)
    _table(folder.files / "metrics.csv", measured)
    settings = json.loads(folder.spec())
    for private in ("caller", "base", "rows", "validation"):
        settings.pop(private, None)
    (folder.files / "config.json").write_text(json.dumps(settings, indent=1, sort_keys=True))


def points(events: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what was measured by name, in the order of the steps."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    if events.exists():
        for line in events.read_text().splitlines():
            event: dict[str, Any] = json.loads(line)
            for name, value in event["values"].items():
                found[name][event["step"]] = value
    return {name: sorted(values.items()) for name, values in found.items()}


def _plot(file: Path, name: str, lines: Mapping[str, Points]) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for label, line in lines.items():
        marker = "o" if len(line) < 3 or label.startswith("validation_") else None
        axes.plot([step for step, _ in line], [value for _, value in line], label=label, marker=marker)
    axes.set_xlabel("step")
    axes.set_ylabel(name)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=120)


def _table(file: Path, measured: Mapping[str, Points]) -> None:
    names = sorted(measured)
    steps = sorted({step for line in measured.values() for step, _ in line})
    columns = {name: dict(measured[name]) for name in names}
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["step", *names])
        for step in steps:
            writer.writerow([step, *(columns[name].get(step, "") for name in names)])
