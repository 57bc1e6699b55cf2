"""``altiplano dataset collect``: datasets out of what agents and models have done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
from google.protobuf.timestamp_pb2 import Timestamp

from cli.failure import USAGE, Failure
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from mesh import json_text

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)
SOURCES: Final = ("sessions", "traces")
_TIMES: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the command line says, under the names of its options; times are of UTC."""

    agents: tuple[str, ...]
    sessions: tuple[str, ...]
    runs: tuple[str, ...]
    models: tuple[str, ...]
    attributes: tuple[str, ...]
    after: datetime | None
    before: datetime | None
    per_turn: bool
    violations: bool


def moment(name: str, told: str) -> Callable[[FC], FC]:
    """Return an option that takes a time of UTC."""
    return click.option(name, type=click.DateTime(_TIMES), help=f"{told}; UTC.")


def request_of(name: str, source: str, asked: Conditions, max_rows: int) -> pb.CollectDatasetRequest:
    """Return the request.

    Raises:
        Failure: a condition belongs to the other source.
    """
    made = pb.CollectDatasetRequest(uuid=name, max_rows=max_rows)
    if source == "traces":
        _refuse(source, {"--agent": asked.agents, "--session": asked.sessions, "--per-turn": asked.per_turn})
        _refuse(source, {"--violations": asked.violations})
        made.traces.CopyFrom(_traces(asked))
    else:
        _refuse(source, {"--run": asked.runs, "--model": asked.models, "--attribute": asked.attributes})
        made.sessions.CopyFrom(_sessions(asked))
    return made


def _refuse(source: str, given: dict[str, Any]) -> None:
    for option, value in given.items():
        if value:
            raise Failure(f"{option} does not belong to {source}", USAGE)


def _sessions(asked: Conditions) -> pb.SessionSource:
    return pb.SessionSource(
        system_ids=asked.agents,
        session_ids=asked.sessions,
        completed_after=_time(asked.after),
        completed_before=_time(asked.before),
        exclude_violations=not asked.violations,
        row_per_turn=asked.per_turn,
    )


def _traces(asked: Conditions) -> pb.TraceSource:
    attributes = {}
    for item in asked.attributes:
        name, sign, value = item.partition("=")
        if not name or not sign:
            raise Failure(f"--attribute: {item!r} is not NAME=VALUE", USAGE)
        attributes[name] = json_text.value_of(value)
    return pb.TraceSource(
        run_ids=asked.runs,
        models=asked.models,
        started_after=_time(asked.after),
        started_before=_time(asked.before),
        attributes=attributes,
    )


def _time(given: datetime | None) -> Timestamp | None:
    if given is None:
        return None
    made = Timestamp()
    made.FromDatetime(given.replace(tzinfo=UTC))
    return made
