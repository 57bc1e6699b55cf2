"""Where a training may begin: weights that can hold nothing but numbers."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from llamastack.models.v1.models_pb2 import Model
from mesh.errors import WrongState
from services.training.post_training.bases import Bases
from services.training.post_training.places import Places
from services.training.recipe.spec import Base
from tests.tiny_model import make_checkpoint

REFUSAL = "model: the weights are not in safetensors files, and others are not opened"


class Poison:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


class Served:
    """Serves one model from a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def get(self, name: str) -> Model:
        """Return the model."""
        return Model(model_id=name, source=str(self.folder))


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    """Return a model whose weights are a pickle that does something."""
    folder = make_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Poison(tmp_path / "executed")))
    return folder


async def test_a_model_whose_weights_are_a_pickle_is_refused_however_it_is_named(
    poisoned: Path, tmp_path: Path
) -> None:
    bases = Bases(Served(poisoned), Places(tmp_path / "jobs"), [tmp_path])
    for name in ("served", "model:served", str(poisoned), poisoned.as_uri()):
        with pytest.raises(WrongState) as refusal:
            await bases.find("acme", name, "model")
        assert refusal.value.message == REFUSAL
    whole = make_checkpoint(tmp_path / "whole")
    assert (await bases.find("acme", str(whole), "model")).base == Base(str(whole))
    assert not (tmp_path / "executed").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_training_does_not_open_a_pickle_that_came_between(poisoned: Path, tmp_path: Path) -> None:
    from services.training.recipe import weights

    torch.save({"weight": Poison(tmp_path / "saved")}, poisoned / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        weights.load(Base(str(poisoned)))
    assert not (tmp_path / "saved").exists()
