"""What the service remembers of a job between its own lives."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the service has come with a job.

    ``number`` counts the attempts handed to the cluster, ``open`` says that the last one may still run. ``checkpoint``
    is the one that the next attempt begins with (None for the last), ``losses`` the attempts that the cluster lost.
    ``run_id`` is the observability run, ``reported`` the events that it has, ``linked`` the checkpoints.
    """

    number: int = 0
    open: bool = False
    checkpoint: str | None = None
    losses: int = 0
    run_id: str | None = None
    experiment_id: str | None = None
    reported: int = 0
    linked: int = 0

    def write(self) -> bytes:
        """Return it as it is stored."""
        return json.dumps(asdict(self)).encode()


def read(stored: bytes) -> Progress:
    """Return what was stored; nothing stored is the beginning."""
    return Progress(**json.loads(stored)) if stored else Progress()
