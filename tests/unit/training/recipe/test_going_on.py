"""A training that goes on from a checkpoint ends where an unbroken one does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from services.training.recipe.folder import Superseded
from services.training.recipe.spec import Adapter
from tests.unit.training.recipe import small

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("adapter", [None, small.LORA], ids=["full", "lora"])
def test_resuming_in_the_middle_of_an_epoch_equals_not_stopping(tmp_path: Path, adapter: Adapter | None) -> None:
    torch.set_num_threads(1)
    loop = {"iterations": 5, "batch_size": 3, "checkpoint_interval": 2, "evaluation_interval": None}
    spec = small.examples(tmp_path, adapter=adapter, loop=loop)
    unbroken = small.train(tmp_path / "unbroken", spec)
    first = unbroken.checkpoints()[0]
    assert first.iters == 2
    resumed = small.train(tmp_path / "resumed", spec, attempt=2, resume=first.path)
    file = "model.safetensors" if adapter is None else "adapter_model.safetensors"
    one, other = (load_file(done.checkpoints()[-1].path / file) for done in (unbroken, resumed))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert small.measured(resumed, "loss") == pytest.approx(small.measured(unbroken, "loss")[2:], rel=1e-5)


def test_an_attempt_that_was_superseded_stops_and_leaves_no_checkpoint(tmp_path: Path) -> None:
    spec = small.examples(tmp_path, validation=None, loop={"iterations": 4, "checkpoint_interval": 4})
    folder = tmp_path / "job"

    def overtaken() -> None:
        from services.training.recipe import spec as recipe
        from services.training.recipe.folder import JobFolder
        from services.training.recipe.run import Surroundings, run

        made = JobFolder(folder, 1)
        made.write_spec(recipe.write(spec))
        made.fence(2)
        run(spec, made, Surroundings())

    with pytest.raises(Superseded):
        overtaken()
    assert not small.train(folder / "other", replace(spec, validation=None)).checkpoints()[1:]
    assert not (folder / "checkpoints").exists()
