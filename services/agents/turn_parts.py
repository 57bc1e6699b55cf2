"""Puts together what runs turns for ``app.py``, over any model, memory, tools and shields."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from mesh.ids import new_id
from mesh.storage import SQLITE, Storage
from mesh.telemetry.tracing import Tracing
from services.agents.agents import Agents, Parts
from services.agents.commits import Commits
from services.agents.config import AgentsConfig
from services.agents.feed import Feeds
from services.agents.following import Following
from services.agents.loop import Means
from services.agents.observed_turns import ObservedStage, trace_now
from services.agents.runs import Pace, Runs
from services.agents.servicer import AgenticSystemServicer
from services.agents.sessions import Sessions
from services.agents.staging import Player, Props, Stage
from services.agents.systems import Systems
from services.agents.turns import Turns
from services.agents.window import Allowance, Windows


@dataclass(frozen=True, slots=True)
class Conversations:
    """What runs turns, and what serves them."""

    commits: Commits
    runs: Runs
    servicer: AgenticSystemServicer


def conversations(
    config: AgentsConfig,
    storage: Storage,
    means: Means,
    tracing: Tracing | None = None,
    clock: Callable[[], float] = time.time,
) -> Conversations:
    """Return what keeps and runs agentic systems over a database.

    ``tracing`` follows turns that outlive a process; ``clock`` gives Unix seconds.
    """
    settings = config.turns
    commits, feeds = Commits(storage), Feeds()
    systems, sessions = Systems(storage, commits, clock), Sessions(storage, commits, clock)
    turns = Turns(storage, commits, settings.lease_s, clock)
    pace = Pace(
        owner=f"{socket.gethostname()}-{os.getpid()}-{new_id()}",
        alone=storage.kind == SQLITE,
        renew_s=settings.lease_s / 3,
        poll_s=min(1.0, settings.lease_s / 3),
        max_turns=settings.max_turns,
    )
    windows = Windows(means.model, Allowance(settings.prompt_tokens, settings.answer_tokens), time.monotonic)
    props = Props(turns, sessions, means, windows, settings.history_turns)
    stage: Player = Stage(props, clock)
    if tracing is not None:
        stage = ObservedStage(stage, tracing, capture=config.telemetry.capture_contents)
    runs = Runs(turns, commits, stage, feeds, pace)
    parts = Parts(systems, sessions, turns, runs, Following(turns, feeds, settings.poll_s), means, trace_now)
    return Conversations(commits, runs, AgenticSystemServicer(Agents(parts, clock), systems))
