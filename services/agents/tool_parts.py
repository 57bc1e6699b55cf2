"""Puts the tools together for ``app.py``, which would be too long with it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import httpx

from llamastack.agents.v1.tool_pb2 import SearchEngine as Engine
from llamastack.tools.v1.mcp_server_pb2 import RegisterMcpServerRequest
from llamastack.tools.v1.tool_pb2 import RegisterToolRequest
from mesh.addresses import AddressGuard
from mesh.client import Client
from mesh.storage import Storage
from services.agents.sandbox.inside.plan import LANDLOCK, NAMESPACES
from services.agents.sandbox.sandbox import Bounds, Sandbox
from services.agents.tooling import ToolRunner
from services.agents.tools.attachments import AttachmentReader
from services.agents.tools.code_interpreter import CodeInterpreter, CodeSettings
from services.agents.tools.config import CodeConfig, ReachConfig, SearchConfig, ToolsConfig
from services.agents.tools.guarded import GuardedTransport
from services.agents.tools.interpreters import FreshInterpreters, KeptInterpreters
from services.agents.tools.mcp_servers import McpServers, McpSettings
from services.agents.tools.memory_search import MemorySearch
from services.agents.tools.photogen import ImageSettings, Photogen
from services.agents.tools.registrations import Registrations
from services.agents.tools.rest import Secrets
from services.agents.tools.runner import Runner
from services.agents.tools.search_engines import Bing, Brave, SearchEngine, Searxng, Tavily
from services.agents.tools.session_folders import SessionFolders
from services.agents.tools.tables import MCP_SERVERS, REST_TOOLS
from services.agents.tools.tool import Tool
from services.agents.tools.toolbox import SERVER, TOOL, Parts, Toolbox
from services.agents.tools.web import Web
from services.agents.tools.web_search import WebSearch
from services.agents.tools.wolfram_alpha import WolframAlpha

_WALLS: Final = {"any": (NAMESPACES, LANDLOCK), "namespaces": (NAMESPACES,), "landlock": (LANDLOCK,), "off": ()}
_ENGINES: Final = {
    "brave": Engine.SEARCH_ENGINE_BRAVE,
    "bing": Engine.SEARCH_ENGINE_BING,
    "tavily": Engine.SEARCH_ENGINE_TAVILY,
    "searxng": Engine.SEARCH_ENGINE_SEARXNG,
}
_REDIRECTIONS: Final = 5
_MIB: Final = 1024 * 1024


class ToolParts:
    """The tools of the service: ``toolbox`` for its RPCs, ``runner`` for turns."""

    def __init__(self, config: ToolsConfig, storage: Storage, client: Client, data: Path) -> None:
        """Build everything; nothing is started before :meth:`begin`."""
        reach, code = config.reach, config.code
        guard = AddressGuard(frozenset(map(str.lower, reach.private_hosts)), frozenset(reach.hosts))
        self._clients = (_client(), _client(guard))
        self._web, self._guarded = (Web(each, reach.most_bytes, reach.attempts) for each in self._clients)
        self._sandbox = Sandbox(_bounds(code), _WALLS[code.walls])
        self._folders = SessionFolders(data / "sessions", code.disk_mib * _MIB)
        self._kept = KeptInterpreters(self._sandbox, code.kept, code.idle_s) if code.state == "session" else None
        self._mcp = McpServers(guard, Secrets(reach.named_secrets()), _mcp(reach))
        self._starting: asyncio.Task[None] | None = None
        parts = Parts(
            builtin=self._builtin(config, client),
            rest=Registrations(storage, REST_TOOLS, (TOOL, RegisterToolRequest), time.time),
            servers=Registrations(storage, MCP_SERVERS, (SERVER, RegisterMcpServerRequest), time.time),
            mcp=self._mcp,
            guarded=self._guarded,
            secrets=Secrets(reach.named_secrets()),
        )
        self.toolbox = Toolbox(parts, reach.most_characters, reach.timeout_s)
        self.runner: ToolRunner = Runner(self.toolbox, self._forget)

    def begin(self) -> None:
        """Begin to start the sandbox; nobody has to wait for it but the first code."""
        self._starting = asyncio.get_running_loop().create_task(self._sandbox.begin())

    async def stop(self) -> None:
        """End all that runs and close all connections."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._kept is not None:
            await self._kept.close()
        await self._sandbox.close()
        await self._mcp.close()
        for client in self._clients:
            await client.aclose()

    async def _forget(self, tenant: str, session_id: str) -> None:
        if self._kept is not None:
            await self._kept.drop(f"{tenant}/{session_id}")
        await self._folders.forget(tenant, session_id)

    def _builtin(self, config: ToolsConfig, client: Client) -> list[Tool]:
        services, seconds = config.services, config.reach.timeout_s
        images = ImageSettings(
            url=services.photogen_url.rstrip("/"),
            key=services.photogen_key,
            model=services.photogen_model,
            size=services.photogen_size,
            form=services.photogen_form,
            timeout_s=services.photogen_timeout_s,
        )
        interpreters = self._kept or FreshInterpreters(self._sandbox)
        code = CodeSettings(config.code.timeout_s, config.code.at_once)
        return [
            WebSearch(_engines(config.search, self._web), _ENGINES[config.search.engine], seconds),
            WolframAlpha(self._web, services.wolfram_url.rstrip("/"), services.wolfram_key, seconds),
            Photogen(self._web, self._guarded, images),
            MemorySearch(client.channel(services.memory), seconds),
            CodeInterpreter(interpreters, self._folders, AttachmentReader(self._guarded).read, code),
        ]


def _engines(config: SearchConfig, web: Web) -> dict[Engine.ValueType, SearchEngine]:
    return {
        Engine.SEARCH_ENGINE_BRAVE: Brave(web, config.brave_url.rstrip("/"), config.brave_key),
        Engine.SEARCH_ENGINE_BING: Bing(web, config.bing_url.rstrip("/"), config.bing_key),
        Engine.SEARCH_ENGINE_TAVILY: Tavily(web, config.tavily_url.rstrip("/"), config.tavily_key),
        Engine.SEARCH_ENGINE_SEARXNG: Searxng(web, config.searxng_url.rstrip("/")),
    }


def _client(guard: AddressGuard | None = None) -> httpx.AsyncClient:
    """Return a client; without a guard for addresses of the settings alone, with one for those of callers."""
    timeout = httpx.Timeout(None, connect=10.0)
    if guard is None:
        return httpx.AsyncClient(timeout=timeout)
    transport = GuardedTransport(guard)
    return httpx.AsyncClient(
        transport=transport, timeout=timeout, follow_redirects=True, max_redirects=_REDIRECTIONS, trust_env=False
    )


def _bounds(code: CodeConfig) -> Bounds:
    return Bounds(code.memory_mib, code.disk_mib, code.processes, code.cores, code.output_bytes)


def _mcp(reach: ReachConfig) -> McpSettings:
    return McpSettings(
        commands=frozenset(reach.mcp_commands),
        start_s=reach.mcp_start_s,
        idle_s=reach.mcp_idle_s,
        most=reach.most_bytes,
    )
