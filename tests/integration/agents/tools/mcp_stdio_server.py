"""An MCP server over stdio by the official SDK, run by tests as a process."""

from __future__ import annotations

import os
import time

from mcp.server.mcpserver import MCPServer

server = MCPServer("stdio")


@server.tool()
def pid() -> str:
    """Tell the process."""
    return str(os.getpid())


@server.tool()
def variables() -> list[str]:
    """Tell the names and the secret of the environment."""
    return [*sorted(os.environ), os.environ.get("TOKEN", "")]


@server.tool()
def slow(seconds: float) -> str:
    """Take a while."""
    time.sleep(seconds)
    return "done"


if __name__ == "__main__":
    server.run("stdio")
