"""A sandbox behind each kind of walls; a kind that can't stand here is skipped with its reason."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.agents.sandbox.inside.plan import LANDLOCK, NAMESPACES
from services.agents.sandbox.sandbox import Bounds, Sandbox
from tests.integration.agents.sandbox.running import KEY


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[NAMESPACES, LANDLOCK])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Start a sandbox from an environment that holds a key."""
    os.environ[KEY] = "sk-very-secret"
    made = Sandbox(Bounds(memory_mib=256, disk_mib=16, processes=32, output_bytes=4096, figures=3), (request.param,))
    try:
        await made.begin()
        if made.problem is not None:
            pytest.skip(f"no such walls here: {made.problem}")
        yield made
    finally:
        del os.environ[KEY]
        await made.close()
