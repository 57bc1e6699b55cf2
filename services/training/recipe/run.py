"""One worker's part of a training: from the spec to the last checkpoint. It knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.training.recipe.folder import JobFolder, Saved
from services.training.recipe.objectives import Reward, Setting, trainer
from services.training.recipe.reporting import Logger, Reporting
from services.training.recipe.spec import Spec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker has around it: its number, the loggers, what answers are worth, and who hears of checkpoints."""

    workers: int = 1
    first: bool = True
    loggers: Sequence[Logger] = field(default_factory=tuple)
    reward: Reward | None = None
    saved: Callable[[Saved | None], None] = lambda saved: None


def run(spec: Spec, folder: JobFolder, around: Surroundings | None = None, resume: Path | None = None) -> None:
    """Train until the spec's end, from a checkpoint's folder if one is given.

    Raises:
        BadRow: a row can't be learnt from.
        Superseded: another attempt has taken over.
    """
    around = around or Surroundings()
    reporting = Reporting(spec, folder, around.loggers if around.first else (), around.saved)
    setting = Setting(folder.scratch(), around.workers, [reporting], around.reward)
    made = trainer(spec, setting)
    made.train(resume_from_checkpoint=None if resume is None else str(resume))
