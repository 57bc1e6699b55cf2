"""brave_search: the web, by whichever search engine the agentic system or the settings choose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from llamastack.agents.v1.tool_pb2 import SearchEngine as Engine
from mesh.errors import WrongState
from services.agents.tools.search_engines import SearchEngine
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Surroundings, parameter

_RESULTS: Final = 3


class WebSearch:
    """Searches the web. ``engines`` are the known ones, ``chosen`` the one of the settings."""

    def __init__(
        self, engines: Mapping[Engine.ValueType, SearchEngine], chosen: Engine.ValueType, timeout_s: float
    ) -> None:
        """Keep the engines."""
        self._engines = engines
        self._chosen = chosen
        self.description = Description(
            name="brave_search",
            kind=Kind.BUILTIN,
            text="Search the web.",
            parameters={"query": parameter("str", "What to search for.")},
            timeout_s=timeout_s,
            idempotent=True,
        )

    @property
    def unavailable_reason(self) -> str | None:
        """Which setting the chosen engine lacks."""
        return _reason(self._engines[self._chosen])

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Search for the query.

        Raises:
            WrongState: the engine lacks a setting.
        """
        engine = self._engines[surroundings.engine or self._chosen]
        reason = _reason(engine)
        if reason is not None:
            raise WrongState(f"brave_search is not available: {reason}")
        query = str(arguments["query"])
        found = await engine.search(query, _RESULTS)
        return Answer((json.dumps({"query": query, "top_k": found}, ensure_ascii=False),))


def _reason(engine: SearchEngine) -> str | None:
    return None if engine.missing is None else f"the setting {engine.missing} is needed"
