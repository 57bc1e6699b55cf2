"""What a job has found out before it scores anything, kept so that whoever goes on with it does the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """``dataset`` and ``revision`` are empty where rows come from elsewhere; ``borrowed`` says that the dataset was
    stored for this job alone. ``columns`` are the dataset's. ``total`` is the number of samples, ``model`` who is
    evaluated (empty for nobody), ``served`` that it is served for this job alone, and ``adapter_of`` the model that it
    is an adapter of. ``run`` and ``experiment`` are those of the record.
    """

    dataset: str = ""
    revision: str = ""
    content_hash: str = ""
    columns: tuple[str, ...] = ()
    borrowed: bool = False
    total: int = 0
    model: str = ""
    served: bool = False
    adapter_of: str = ""
    experiment: str = ""
    run: str = ""

    def write(self) -> bytes:
        """Return the plan as bytes."""
        return json.dumps(asdict(self)).encode()


def read_plan(data: bytes) -> Plan | None:
    """Return the plan of a job; None if it has none yet."""
    if not data:
        return None
    found = json.loads(data)
    return Plan(**{**found, "columns": tuple(found["columns"])})
