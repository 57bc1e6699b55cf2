"""The folder of a job: what the job writes and the service reads, on a file system that both see.

::

    spec.json             what to do
    fence                 the number of the attempt that may write; the ones before it have to stop
    log.txt               lines: time, level, text
    events.jsonl          what was measured, one object per step
    checkpoints/NN-SSSSSSSS/   weights and state after step S of attempt N; checkpoint.json in it is written last
    files/                curves, tables, the configuration
    outcome-NN.json       how attempt N ended

Lines are only ever added, each by one write, so that a reader may count them. It knows neither torch nor the service.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

SPEC: Final = "spec.json"
RECORD: Final = "checkpoint.json"
_NONE: Final = -1
_WRITING: Final = ".writing-"


class Superseded(Exception):
    """Another attempt has taken the job over; this one has to stop without a word."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint in the folder. ``created_at`` is Unix seconds, ``adapter`` whether it needs its base."""

    name: str
    path: Path
    iters: int
    epoch: int
    metrics: dict[str, float] = field(default_factory=dict)
    created_at: float = 0.0
    size_bytes: int = 0
    adapter: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: ``state`` is completed or failed, ``reason`` and ``message`` say why it failed.

    ``field`` is the request's that was of no use, where it was one.
    """

    state: str
    reason: str = ""
    message: str = ""
    field: str = ""


class JobFolder:
    """Reads and writes the folder of a job as one of its attempts; the service reads with attempt 0."""

    def __init__(self, path: Path, attempt: int = 0) -> None:
        self.path = path
        self.attempt = attempt

    @property
    def log_file(self) -> Path:
        """The file of the log."""
        return self.path / "log.txt"

    @property
    def events_file(self) -> Path:
        """The file of what was measured."""
        return self.path / "events.jsonl"

    @property
    def files(self) -> Path:
        """The folder of files that are no checkpoints."""
        return self.path / "files"

    def write_spec(self, text: str) -> None:
        """Write what to do."""
        self.path.mkdir(parents=True, exist_ok=True)
        put(self.path / SPEC, text)

    def spec(self) -> str:
        """Return what to do."""
        return (self.path / SPEC).read_text()

    def fence(self, attempt: int) -> None:
        """Say which attempt may write; every other one stops with its next step."""
        put(self.path / "fence", str(attempt))

    def stop(self) -> None:
        """Have every attempt stop with its next step."""
        self.fence(_NONE)

    def begun(self) -> None:
        """Count a start of the training."""
        _append(self.path / "starts", str(self.attempt))

    def starts(self) -> int:
        """Return how often the training was started."""
        try:
            return len((self.path / "starts").read_text().splitlines())
        except FileNotFoundError:
            return 0

    def check(self) -> None:
        """Make sure that this attempt may write.

        Raises:
            Superseded: it may not any more.
        """
        try:
            current = int((self.path / "fence").read_text())
        except (FileNotFoundError, ValueError) as error:
            raise Superseded from error
        if current != self.attempt:
            raise Superseded

    def log(self, level: str, text: str) -> None:
        """Add lines to the log."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for line in text.splitlines() or [""]:
            _append(self.log_file, f"{now} {level} {line}")

    def measured(self, event: dict[str, Any]) -> None:
        """Add what was measured at a step.

        Raises:
            Superseded: another attempt has taken over.
        """
        self.check()
        _append(self.events_file, json.dumps({"time": time.time(), "attempt": self.attempt, **event}))

    def scratch(self) -> Path:
        """Return the folder in which this attempt writes checkpoints before they count."""
        folder = self.path / f"{_WRITING}{self.attempt:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def keep(self, made: Path, saved: Saved) -> Saved:
        """Make a folder of weights and state a checkpoint, whole or not at all, and return it under its name.

        Raises:
            Superseded: another attempt has taken over.
        """
        self.check()
        name = f"{self.attempt:02d}-{saved.iters:08d}"
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
        record = {
            "iters": saved.iters,
            "epoch": saved.epoch,
            "metrics": saved.metrics,
            "created_at": time.time(),
            "size_bytes": size,
            "adapter": saved.adapter,
        }
        (made / RECORD).write_text(json.dumps(record))
        target = self.path / "checkpoints" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        os.rename(made, target)
        return Saved(name, target, **record)  # type: ignore[arg-type]  # the record's members are those of Saved

    def checkpoints(self) -> list[Saved]:
        """Return the checkpoints, oldest first."""
        return sorted(self._checkpoints(), key=lambda saved: (saved.created_at, saved.name))

    def forget(self, keep: int) -> None:
        """Delete the oldest checkpoints but so many."""
        for saved in self.checkpoints()[:-keep]:
            shutil.rmtree(saved.path, ignore_errors=True)

    def end(self, outcome: Outcome) -> None:
        """Write down how this attempt ended.

        Raises:
            Superseded: another attempt has taken over.
        """
        self.check()
        put(self.path / f"outcome-{self.attempt:02d}.json", json.dumps(asdict(outcome)))

    def outcome(self, attempt: int) -> Outcome | None:
        """Return how an attempt ended, None if it did not come to that."""
        try:
            return Outcome(**json.loads((self.path / f"outcome-{attempt:02d}.json").read_text()))
        except FileNotFoundError:
            return None

    def _checkpoints(self) -> Iterator[Saved]:
        for record in (self.path / "checkpoints").glob(f"*/{RECORD}"):
            try:
                yield Saved(record.parent.name, record.parent, **json.loads(record.read_text()))
            except FileNotFoundError:
                # one that is being deleted
                continue


def put(target: Path, text: str) -> None:
    """Write a file whole or not at all, whoever else writes it or reads it now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{uuid4().hex}")
    fresh.write_text(text)
    fresh.replace(target)


def _append(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)
