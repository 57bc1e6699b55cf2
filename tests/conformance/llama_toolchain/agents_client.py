"""Drives the agentic system client of llama-toolchain and prints, as JSON, the events and what its logger showed.

Runs with the interpreter of an environment that holds llama-toolchain: ``agents_client.py HOST PORT``.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from typing import Any

from llama_models.llama3.api.datatypes import ToolParamDefinition, ToolResponseMessage, UserMessage
from llama_toolchain.agentic_system.api import AgenticSystemToolDefinition
from llama_toolchain.agentic_system.event_logger import EventLogger
from llama_toolchain.agentic_system.utils import get_agent_system_instance


class BoilingPoint:
    """A custom tool, as the client's wrapper wants one; its own base class would need the packages of a server."""

    def get_name(self) -> str:
        return "get_boiling_point"

    def get_tool_definition(self) -> AgenticSystemToolDefinition:
        return AgenticSystemToolDefinition(
            tool_name=self.get_name(),
            description="Get the boiling point of an imaginary liquid.",
            parameters={"liquid": ToolParamDefinition(param_type="str", description="The liquid.", required=True)},
        )

    async def run(self, messages: list[Any]) -> list[ToolResponseMessage]:
        (asked,) = messages[0].tool_calls
        told = json.dumps({**asked.arguments, "celsius": -100})
        return [ToolResponseMessage(call_id=asked.call_id, tool_name=asked.tool_name, content=told)]


async def shown(events: AsyncIterator[Any]) -> dict[str, Any]:
    """Return the events of a run and what the client's logger prints of them."""
    seen: list[Any] = []

    async def keep() -> AsyncIterator[Any]:
        async for event in events:
            seen.append(json.loads(event.json()))
            yield event

    with redirect_stdout(io.StringIO()) as said:
        async for _, line in EventLogger().log(keep()):
            if line is not None:
                line.print()
    return {"events": seen, "said": said.getvalue()}


async def main(host: str, port: str) -> None:
    """Talk to a system without shields and to one with them."""
    results = {}
    with redirect_stdout(io.StringIO()):
        plain = await get_agent_system_instance(host, int(port), [BoilingPoint()], disable_safety=True, model="llama")
        guarded = await get_agent_system_instance(host, int(port), [], disable_safety=False, model="llama")
        await plain.create_session("plain")
        await guarded.create_session("guarded")
    results["hello"] = await shown(plain.run([UserMessage(content="hello")]))
    results["search"] = await shown(plain.run([UserMessage(content="search")]))
    results["custom"] = await shown(plain.run([UserMessage(content="boil")]))
    results["guarded"] = await shown(guarded.run([UserMessage(content="hello")]))
    results["violation"] = await shown(guarded.run([UserMessage(content="about llama_guard")]))
    json.dump(results, sys.stdout)


asyncio.run(main(*sys.argv[1:]))
