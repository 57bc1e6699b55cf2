"""Checkpoints belong to a tenant, and their ids lead nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.errors import ResourceNotFound
from services.training.post_training.lineage import Source, source
from services.training.post_training.places import Places, name_of
from services.training.recipe.folder import JobFolder, Saved
from services.training.revisions import LocalRevision


def made(places: Places, tenant: str) -> tuple[JobFolder, Saved]:
    """Make a job's folder with a checkpoint."""
    folder = places.folder(tenant, "job", b"body")
    places.claim(folder, "job")
    own = JobFolder(folder.path, 1)
    own.fence(1)
    weights = own.scratch() / "checkpoint-5"
    weights.mkdir()
    (weights / "weights").write_bytes(b"1234")
    return own, own.keep(weights, Saved("", weights, 5, 1, {"loss": 0.5}))


def test_a_checkpoint_is_found_by_its_id_and_by_its_path(tmp_path: Path) -> None:
    places = Places(tmp_path)
    folder, saved = made(places, "ann")
    found = name_of(saved.path)
    job, again = places.checkpoint("ann", found)
    assert (job, again) == ("job", folder.checkpoints()[0])
    assert (again.iters, again.epoch, again.metrics) == (5, 1, {"loss": 0.5})
    assert places.checkpoint_id("ann", str(saved.path)) == found


def test_another_tenant_finds_it_neither_way(tmp_path: Path) -> None:
    places = Places(tmp_path)
    _, saved = made(places, "ann")
    with pytest.raises(ResourceNotFound):
        places.checkpoint("bob", name_of(saved.path))
    assert places.checkpoint_id("bob", str(saved.path)) is None
    with pytest.raises(ResourceNotFound):
        places.checkpoint("ann", "../../etc.01-00000001")


def test_different_requests_of_one_job_have_different_folders(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert places.folder("ann", "job", b"one").path != places.folder("ann", "job", b"other").path


def test_a_url_is_told_without_its_credentials_and_without_its_data() -> None:
    rows = LocalRevision(None, None, "hash", 1, {}, ())
    told = source(rows, "https://ann:secret@host/rows.jsonl?token=1")
    assert told == Source("hash", url="https://host/rows.jsonl")
    assert source(rows, "data:application/jsonl,%7B%7D").url == "data:application/jsonl"
    stored = LocalRevision("qa", "2", "hash", 1, {}, ())
    assert source(stored, "dataset:qa") == Source("hash", "qa", "2")
