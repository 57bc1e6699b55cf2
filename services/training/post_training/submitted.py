"""What a stored job was asked for."""

from __future__ import annotations

from typing import Final

from mesh.jobs.job import Job
from services.training.post_training.requests import KINDS, Asked
from services.training.recipe.spec import Kind

PREFIX: Final = "post_training."
JOB_KINDS: Final = tuple(f"{PREFIX}{kind.value}" for kind in Kind)


def request_of(job: Job) -> Asked:
    """Return what a stored job was asked for."""
    return KINDS[kind(job)].FromString(job.body)


def kind(job: Job) -> Kind:
    """Return what a stored job learns from."""
    return Kind(job.kind.removeprefix(PREFIX))
