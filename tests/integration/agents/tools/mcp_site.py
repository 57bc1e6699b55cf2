"""An MCP server over Streamable HTTP by the official SDK, served on loopback for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.utilities.types import Image
from mcp_types import ToolAnnotations


@dataclass
class McpSite:
    """Where the server is, and what its tools were called with."""

    url: str = ""
    calls: list[str] = field(default_factory=list)


def server_of(site: McpSite) -> MCPServer:
    """Return a server with a few tools."""
    server = MCPServer("http")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        site.calls.append("add")
        return str(a + b)

    @server.tool()
    def who(ctx: Context) -> str:
        """Tell who calls."""
        headers = ctx.headers or {}
        return f"{headers.get('authorization')} {headers.get('x-key')}"

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ToolError("no luck")

    @server.tool(structured_output=False)
    def draw() -> list[Any]:
        """Draw."""
        return ["a dot", Image(data=b"\x89PNG", format="png")]

    return server


def guarded(app: Any) -> Any:
    """Return an application that refuses whoever shows no token."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and b"authorization" not in dict(scope["headers"]):
            await send({"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return guard


@asynccontextmanager
async def serving_mcp(*, to_anybody: bool = True) -> AsyncIterator[McpSite]:
    """Serve for the time of the block, ``to_anybody`` or only to those who show some token."""
    site = McpSite()
    app: Any = server_of(site).streamable_http_app()
    app = app if to_anybody else guarded(app)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    site.url = f"http://127.0.0.1:{port}/mcp"
    try:
        yield site
    finally:
        server.should_exit = True
        await task
