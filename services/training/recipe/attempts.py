"""One attempt at a job, as the driver, its workers and its trials hand it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.training.recipe.folder import JobFolder


class BadSetting(Exception):
    """A setting turns out to be of no use; the message is meant for the client, ``field`` is that of the request."""

    def __init__(self, message: str, field: str = "dataset") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a job: its folder, its number, and the checkpoint that it begins with."""

    folder: str
    number: int
    checkpoint: str | None = None

    def open(self) -> JobFolder:
        """Return the job's folder as this attempt."""
        return JobFolder(Path(self.folder), self.number)
