"""A rolling restart of two replicas under load is nothing that callers notice."""

from __future__ import annotations

import tempfile
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # the package has no types
import pytest

from bench.rolling import roll
from tests.postgres import running_postgres


@pytest.mark.timeout(900)
async def test_no_unary_call_fails_and_new_replicas_get_their_share() -> None:
    with tempfile.TemporaryDirectory() as folder, running_postgres() as url:
        connection = await asyncpg.connect(url.format(name="postgres"))
        await connection.execute("CREATE DATABASE rolling")
        await connection.close()
        outcome = await roll(url.format(name="rolling"), Path(folder), age_s=6, rounds=1, callers=4)
    assert outcome.calls > 100
    assert outcome.failures == {}
    assert outcome.streams.total() > 0
    assert set(outcome.streams) <= {"finished", "BACKEND_UNAVAILABLE", "CANCELLED"}
    assert min(outcome.shares) >= 0.2
