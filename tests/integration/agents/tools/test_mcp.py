"""Tools of MCP servers, over both transports, against servers of the official SDK."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llamastack.common.v1.content_pb2 import Url
from llamastack.tools.v1 import mcp_server_pb2 as pb
from llamastack.tools.v1 import tool_pb2
from mesh.errors import BackendUnavailable, InvalidField, ResourceExists, ResourceNotFound, WrongState
from services.agents.tools.tool import tool_name
from tests.integration.agents.tools.mcp_site import McpSite, serving_mcp
from tests.integration.agents.tools.serving import COMPLETED, ERROR, TIMEOUT, Served, refused, serving
from tests.integration.agents.tools.test_apis import call_of, context_of

SERVER = str(Path(__file__).with_name("mcp_stdio_server.py"))
READY, AWAY = pb.MCP_SERVER_STATE_READY, pb.MCP_SERVER_STATE_UNREACHABLE


@pytest.fixture
async def http() -> AsyncIterator[McpSite]:
    """Serve an MCP server over HTTP."""
    async with serving_mcp() as site:
        yield site


async def by_http(
    served: Served, server_id: str, url: str, terms: dict[str, Any] | None = None, **rest: Any
) -> pb.McpServer:
    """Register a server by its address."""
    transport = pb.StreamableHttpTransport(url=Url(uri=url), **(terms or {}))
    request = pb.RegisterMcpServerRequest(
        server_id=server_id, transport=pb.McpTransport(streamable_http=transport), **rest
    )
    return await served.stub.RegisterMcpServer(request)


async def by_stdio(served: Served, server_id: str, command: str = sys.executable, **terms: Any) -> pb.McpServer:
    """Register a server by its command."""
    transport = pb.StdioTransport(command=command, args=[SERVER], **terms)
    request = pb.RegisterMcpServerRequest(server_id=server_id, transport=pb.McpTransport(stdio=transport))
    return await served.stub.RegisterMcpServer(request)


async def test_tools_of_a_server_are_tools_of_the_stack(http: McpSite, tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        server = await by_http(served, "site", http.url, requires_approval=True)
        listed = (await served.stub.ListTools(tool_pb2.ListToolsRequest(server_id="site"))).tools
        added, failed, drawn = [
            await served.run("site__add", a=2, b=3), await served.run("site__fail"), await served.run("site__draw")
        ]  # fmt: skip
        wrong = await refused(served.run("site__add", a="two", b=3))
    assert (server.state, list(server.tool_names)) == (READY, ["site__add", "site__draw", "site__fail", "site__who"])
    add = listed[0]
    assert (add.tool_name.custom, add.kind, add.server_id) == ("site__add", tool_pb2.TOOL_KIND_MCP, "site")
    assert (add.idempotent, add.requires_approval, add.available) == (True, True, True)
    assert {name: (each.param_type, each.required) for name, each in add.parameters.items()} == {
        "a": ("int", True),
        "b": ("int", True),
    }
    assert (added.status, added.content.text) == (COMPLETED, "5")
    assert failed.status == ERROR
    assert "no luck" in failed.content.text
    text, image = drawn.content.parts.parts
    assert (text.text, image.attachment.mime_type) == ("a dot", "image/png")
    assert image.attachment.url.uri == "data:image/png;base64,iVBORw=="
    assert isinstance(wrong, InvalidField)
    assert wrong.details.violations[0].path == "arguments.a"


async def test_the_caller_s_token_and_secrets_go_along_where_they_are_to(http: McpSite, tmp_path: Path) -> None:
    async with serving(tmp_path, TOOL_SECRETS='{"site": "sk-site"}') as served:
        await by_http(served, "plain", http.url, {"secret_headers": {"x-key": "site"}})
        await by_http(served, "passing", http.url, {"pass_caller_token": True})
        told = []
        for token in ("ann", "bob"):
            metadata = (("authorization", f"Bearer {token}"),)
            for server in ("plain", "passing"):
                request = tool_pb2.RunToolRequest(tool_name=tool_name(f"{server}__who"))
                told.append((await served.stub.RunTool(request, metadata=metadata)).content.text)
        result = await served.parts.runner.run(call_of("passing__who"), context_of("x", token="Bearer eve"))
        shown = str(await served.stub.ListMcpServers(pb.ListMcpServersRequest()))
    assert told == ["None sk-site", "Bearer ann None", "None sk-site", "Bearer bob None"]
    assert result.response.content.text == "Bearer eve None"
    assert "sk-site" not in shown


async def test_a_broken_server_keeps_no_other_away(http: McpSite, tmp_path: Path) -> None:
    async with serving(tmp_path, MCP_START_S="5") as served:
        broken = await by_http(served, "broken", "http://127.0.0.1:9/mcp")
        await by_http(served, "site", http.url, allowed_tools=["add"])
        names = await served.names()
        servers = (await served.stub.ListMcpServers(pb.ListMcpServersRequest())).servers
        missing = await refused(served.run("broken__add", a=1, b=2))
        tools = await served.parts.runner.of_server("default", "broken", [])
    assert (broken.state, broken.state_message) == (AWAY, "the MCP server does not answer")
    assert names == ["site__add"]
    assert [(server.server_id, server.state) for server in servers] == [("broken", AWAY), ("site", READY)]
    assert isinstance(missing, ResourceNotFound)
    assert tools == []


@pytest.mark.parametrize("url", ["http://10.0.0.1/mcp", "http://localhost:1/mcp", "file:///etc/passwd"])
async def test_addresses_that_are_not_allowed_are_refused(tmp_path: Path, url: str) -> None:
    async with serving(tmp_path) as served:
        error = await refused(by_http(served, "x", url))
    assert isinstance(error, InvalidField)
    assert error.details.violations[0].path == "transport.url"


async def test_a_process_is_started_once_and_again_after_it_died(tmp_path: Path) -> None:
    async with serving(tmp_path, MCP_COMMANDS=sys.executable) as served:
        server = await by_stdio(served, "proc")
        first, second = [(await served.run("proc__pid")).content.text for _ in range(2)]
        os.kill(int(first), signal.SIGKILL)
        errors = [await refused(served.run("proc__pid"))]
        third = (await served.run("proc__pid")).content.text
    assert server.state == READY
    assert first == second
    assert third != first
    assert [type(error) for error in errors] == [BackendUnavailable]


async def test_a_process_gets_no_environment_but_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALTIPLANO_AGENTS_BRAVE_SEARCH_API_KEY", "sk-secret")
    async with serving(tmp_path, MCP_COMMANDS=sys.executable, TOOL_SECRETS='{"proc": "sk-proc"}') as served:
        await by_stdio(served, "proc", env={"MODE": "x"}, secret_env={"TOKEN": "proc"})
        text = (await served.run("proc__variables")).content
    names = {part.text for part in text.parts.parts}
    assert names - {"LC_CTYPE"} == {"MODE", "PATH", "TOKEN", "sk-proc"}


async def test_commands_that_the_settings_do_not_list_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, MCP_COMMANDS="/usr/bin/mcp-server") as served:
        error = await refused(by_stdio(served, "proc"))
        unknown = await refused(by_stdio(served, "proc", "/usr/bin/mcp-server", secret_env={"A": "none"}))
        server = await by_stdio(served, "proc", "/usr/bin/mcp-server")
    assert isinstance(error, InvalidField)
    assert error.details.violations[0].path == "transport.command"
    assert isinstance(unknown, WrongState)
    assert server.state == AWAY


async def test_a_tool_that_takes_too_long_is_told_and_harms_no_later_call(tmp_path: Path) -> None:
    async with serving(tmp_path, MCP_COMMANDS=sys.executable, TOOL_TIMEOUT_S="1.5") as served:
        await by_stdio(served, "proc")
        late = await served.run("proc__slow", seconds=2.5)
        next_one = await served.run("proc__slow", seconds=0.0)
    assert (late.status, late.content.text) == (TIMEOUT, "the tool did not answer within 1.5 s")
    assert (next_one.status, next_one.content.text) == (COMPLETED, "done")


async def test_the_same_server_again_is_the_same_and_another_one_is_refused(http: McpSite, tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = await by_http(served, "site", http.url)
        assert await by_http(served, "site", http.url) == first
        assert isinstance(await refused(by_http(served, "site", http.url, allowed_tools=["add"])), ResourceExists)
        assert isinstance(await refused(served.register("site__mine", "https://a.example/")), ResourceExists)
        await served.stub.UnregisterMcpServer(pb.UnregisterMcpServerRequest(server_id="site"))
        assert await served.names() == []
        gone = await refused(served.stub.UnregisterMcpServer(pb.UnregisterMcpServerRequest(server_id="site")))
    assert isinstance(gone, ResourceNotFound)


async def test_servers_are_listed_by_pages(tmp_path: Path) -> None:
    async with serving(tmp_path, MCP_START_S="2") as served:
        for name in ("b", "a", "c"):
            await by_http(served, name, "http://127.0.0.1:9/mcp")
        first = await served.stub.ListMcpServers(pb.ListMcpServersRequest(page_size=2))
        second = await served.stub.ListMcpServers(
            pb.ListMcpServersRequest(page_size=2, page_token=first.next_page_token)
        )
    assert [server.server_id for server in first.servers] == ["a", "b"]
    assert ([server.server_id for server in second.servers], second.next_page_token) == (["c"], "")
