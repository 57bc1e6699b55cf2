"""What a job has written so far: its log and its measurements, as files that only grow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_SPAN: Final = 20


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured at one step; ``sequence`` counts from 1, ``time`` is Unix seconds."""

    sequence: int
    time: float
    attempt: int
    step: int
    steps: int
    epoch: float
    tokens: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a log and the number of the last one, counted from 1."""

    lines: list[str]
    last: int


class Tail:
    """Reads a growing file from where it was left; half a line is left for the next time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self.count = 0

    def read(self) -> list[str]:
        """Return the lines that were added."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            return []
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        lines = whole.decode(errors="replace").split("\n")[:-1]
        self.count += len(lines)
        return lines


def log(file: Path, after: int, most: int) -> Lines:
    """Return the last lines of a log, at most so many, of those after a number."""
    lines = Tail(file).read()
    return Lines(lines[after:][-most:], len(lines))


def points(file: Path, after: int = 0) -> list[Point]:
    """Return the measurements after a number."""
    lines = Tail(file).read()
    return [point(number, line) for number, line in enumerate(lines, 1) if number > after]


def point(number: int, line: str) -> Point:
    """Return the measurement of a line."""
    event: dict[str, Any] = json.loads(line)
    return Point(
        number,
        event["time"],
        event["attempt"],
        event["step"],
        event["steps"],
        event["epoch"],
        event["tokens"],
        event["values"],
    )


def spread(all_points: list[Point], most: int) -> list[Point]:
    """Return at most so many points, spread evenly, the first and the last among them."""
    if len(all_points) <= most:
        return all_points
    if most == 1:
        return all_points[-1:]
    step = (len(all_points) - 1) / (most - 1)
    return [all_points[round(index * step)] for index in range(most)]


def remaining(measured: list[Point]) -> float | None:
    """Return the seconds until the end at the speed of the last steps, None while that is unknown."""
    steps = [each for each in measured if "loss" in each.values][-_SPAN:]
    steps = [each for each in steps if each.attempt == steps[-1].attempt]
    if len(steps) < 2 or steps[-1].step <= steps[0].step:
        return None
    speed = (steps[-1].time - steps[0].time) / (steps[-1].step - steps[0].step)
    return max(0.0, speed * (steps[-1].steps - steps[-1].step))
