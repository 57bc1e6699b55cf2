"""Where the files of jobs are, and how a checkpoint is named: after the folder of its job and its own.

The folder of a job says nothing of tenant or job by its name. Different requests of one job_uuid have different
folders, so that a refused one leaves no trace in the other's.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from mesh.errors import ResourceNotFound
from mesh.jobs.job import Job
from services.training.recipe.folder import JobFolder, Saved, put

CHECKPOINT: Final = "checkpoint"
_OWNER: Final = "job"
_ID: Final = re.compile(r"([0-9a-f]{32})\.([0-9]+-[0-9]+)")


class Places:
    """The folders of all jobs below one root."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def folder(self, tenant: str, uuid: str, body: bytes) -> JobFolder:
        """Return the folder of a job; it may not be there yet."""
        name = sha256(b"\0".join((uuid.encode(), sha256(body).digest()))).hexdigest()[:32]
        return JobFolder(self._of(tenant) / name)

    def of(self, job: Job) -> JobFolder:
        """Return the folder of a stored job."""
        return self.folder(job.identity.tenant, job.uuid, job.body)

    def claim(self, folder: JobFolder, uuid: str) -> None:
        """Write down whose folder it is, so that a checkpoint leads to its job."""
        put(folder.path / _OWNER, uuid)

    def checkpoint(self, tenant: str, checkpoint_id: str) -> tuple[str, Saved]:
        """Return the job of a checkpoint, and the checkpoint.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        named = _ID.fullmatch(checkpoint_id)
        if named is not None:
            folder = JobFolder(self._of(tenant) / named[1])
            found = next((saved for saved in folder.checkpoints() if saved.name == named[2]), None)
            if found is not None:
                return (folder.path / _OWNER).read_text(), found
        raise ResourceNotFound(CHECKPOINT, checkpoint_id)

    def checkpoint_id(self, tenant: str, path: str) -> str | None:
        """Return the id of the checkpoint at a path, None if it is not one of the tenant's."""
        found = Path(path).resolve()
        whole = found.is_relative_to(self._of(tenant).resolve()) and found.parent.name == "checkpoints"
        return name_of(found) if whole and found.is_dir() else None

    def _of(self, tenant: str) -> Path:
        return self._root / sha256(tenant.encode()).hexdigest()[:24]


def name_of(checkpoint: Path) -> str:
    """Return the id of the checkpoint in a folder of a job."""
    return f"{checkpoint.parent.parent.name}.{checkpoint.name}"
