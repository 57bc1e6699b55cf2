"""What a search leaves as the job's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.training.recipe.curves import points
from services.training.recipe.folder import JobFolder, Saved

pytestmark = pytest.mark.filterwarnings("ignore")


def trial(job: JobFolder, number: int, losses: list[float]) -> None:
    """Write what a trial leaves."""
    own = JobFolder(job.path / "trials" / f"{number:03d}", job.attempt)
    own.fence(job.attempt)
    for step, loss in enumerate(losses, 1):
        own.measured({"step": step, "steps": len(losses), "epoch": 1.0, "tokens": step, "values": {"loss": loss}})
    made = own.scratch() / "made"
    made.mkdir()
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    own.keep(made, Saved("", made, iters=len(losses), epoch=1, adapter=True))


def test_the_best_trial_is_adopted_once_whoever_died_while_adopting_it(tmp_path: Path) -> None:
    from services.training.recipe.search import _adopt

    job = JobFolder(tmp_path / "job", 1)
    job.fence(1)
    trial(job, 0, [9.0])
    trial(job, 1, [3.0, 2.0, 1.0])
    # an attempt that died after the first measurement
    job.measured({"step": 1, "steps": 3, "epoch": 1.0, "tokens": 1, "values": {"loss": 3.0}})
    after = JobFolder(job.path, 2)
    after.fence(2)
    _adopt(after, 1)
    assert points(job.events_file)["loss"] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [saved.iters for saved in job.checkpoints()] == [3]
    _adopt(after, 1)
    assert points(job.events_file)["loss"] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert len(job.events_file.read_text().splitlines()) == 3
