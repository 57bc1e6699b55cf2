"""A rolling restart of two replicas of any service under load is nothing that callers notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.restarts.duties import DUTIES
from bench.rolling import made_database, roll
from tests.postgres import running_postgres

TYPED = {"finished", "BACKEND_UNAVAILABLE", "CANCELLED"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server for the state that replicas share."""
    with running_postgres() as url:
        yield url


@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", DUTIES)
async def test_no_unary_call_fails_and_new_replicas_get_their_share(service: str, server: str, tmp_path: Path) -> None:
    database = await made_database(server, service)
    outcome = await roll(service, database, tmp_path, age_s=6, rounds=1, callers=4)
    assert outcome.calls > 100
    assert outcome.failures == {}
    assert outcome.streams.total() > 0
    assert set(outcome.streams) <= TYPED
    assert min(outcome.shares) >= 0.2
