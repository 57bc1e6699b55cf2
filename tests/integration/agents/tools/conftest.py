"""A site that stands for the APIs behind tools."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.agents.tools.site import Site, serving_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serve a site."""
    async with serving_site() as running:
        yield running
