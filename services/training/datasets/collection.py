"""Datasets out of what agents and models have done: usage becomes data to train on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, Protocol

from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from mesh.errors import InvalidField
from mesh.ids import new_id
from services.training.datasets.catalog import Revision
from services.training.datasets.intake import Arrival
from services.training.datasets.library import Library, Origin
from services.training.datasets.messages import metadata_only
from services.training.datasets.shards import written
from services.training.datasets.spool import Spool
from services.training.revisions import ColumnType

_DEFAULT_ROWS: Final = 100_000
_SESSIONS: Final = {"dialog": ColumnType.DIALOG, "session_id": ColumnType.TEXT, "turn_id": ColumnType.TEXT}
_TRACES: Final = {"dialog": ColumnType.DIALOG, "trace_id": ColumnType.TEXT}


class SessionRows(Protocol):
    """Where rows come from that agents have made."""

    def rows(self, source: pb.SessionSource) -> AsyncGenerator[list[tuple[float, dict[str, Any]]]]:
        """Yield rows with the Unix seconds of each, several at a time, in any order.

        Raises:
            MeshError: what the agents answer with.
        """
        ...


class TraceRows(Protocol):
    """Where rows come from that model calls have made."""

    def rows(self, source: pb.TraceSource) -> AsyncGenerator[list[tuple[float, dict[str, Any]]]]:
        """Yield rows with the Unix seconds of each, several at a time, in any order.

        Raises:
            MeshError: what the observability service answers with.
        """
        ...


class Collection:
    """Collects rows from other services into datasets, as whoever asks for them."""

    def __init__(
        self,
        library: Library,
        sessions: SessionRows,
        traces: TraceRows,
        staging: Path,
        clock: Callable[[], float],
    ) -> None:
        """``staging`` is a folder for rows on their way."""
        self._library = library
        self._sessions = sessions
        self._traces = traces
        self._staging = staging
        self._clock = clock

    async def collect(self, tenant: str, request: pb.CollectDatasetRequest) -> Revision:
        """Make a dataset, or a revision of one that exists, and return it.

        Raises:
            InvalidField: there is no row.
            MeshError: what the other services answer with.
        """
        which = request.WhichOneof("source")
        spool = Spool(self._staging / f"{new_id(self._clock)}.spool", request.max_rows or _DEFAULT_ROWS)
        async with spool:
            found = 0
            rows = self._traces.rows(request.traces) if which == "traces" else self._sessions.rows(request.sessions)
            async with aclosing(rows):
                async for several in rows:
                    found += len(several)
                    lines = [(seconds, written(row) + b"\n") for seconds, row in several]
                    await asyncio.to_thread(spool.add, lines)
            if not found:
                raise InvalidField(which or "source", "nothing was found that fits the conditions")
            columns = _TRACES if which == "traces" else _SESSIONS
            arrival = Arrival(spool.newest(), "jsonl", columns, which or "source")
            kind = dataset_pb2.DATASET_ORIGIN_TRACES if which == "traces" else dataset_pb2.DATASET_ORIGIN_SESSIONS
            return await self._library.write(
                tenant, request.uuid, arrival, Origin(kind, metadata=metadata_only(request.metadata))
            )
