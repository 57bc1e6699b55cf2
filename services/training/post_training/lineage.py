"""What is known of a job before it begins, and kept beside its files: where model and rows come from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from services.training.recipe.folder import put
from services.training.revisions import LocalRevision

_FILE: Final = "origin.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A revision of a stored dataset, or a URL without credentials; ``content_hash`` is SHA-256 in hexadecimal."""

    content_hash: str
    dataset_uuid: str | None = None
    revision: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a job's model and rows come from. ``model`` is what the request called it, ``served`` its served id."""

    model: str
    served: str | None
    merged: bool
    parent: str | None
    dataset: Source
    validation: Source | None
    code_version: str
    config_hash: str
    steps: int
    experiment: str | None

    def write(self, folder: Path) -> None:
        """Keep it in a job's folder."""
        put(folder / _FILE, json.dumps(asdict(self)))


def read(folder: Path) -> Origin:
    """Return the origin of the job of a folder."""
    members = json.loads((folder / _FILE).read_text())
    members["dataset"] = Source(**members["dataset"])
    members["validation"] = None if members["validation"] is None else Source(**members["validation"])
    return Origin(**members)


def source(revision: LocalRevision, url: str) -> Source:
    """Return where rows come from; a URL loses its credentials, and one that holds the data all but its beginning."""
    if revision.dataset_uuid is not None:
        return Source(revision.content_hash, revision.dataset_uuid, revision.revision)
    return Source(revision.content_hash, url=_plain(url))


def _plain(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url.partition(",")[0]
    place, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def code_version() -> str:
    """Return the version of the code that trains."""
    try:
        return f"altiplano {version('altiplano')}"
    except PackageNotFoundError:
        return "altiplano"
