"""Tools of MCP servers in turns of the whole agents service, called as whoever the turn belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from llamastack.agents.v1 import config_pb2, tool_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Url
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.tools.v1 import mcp_server_pb2
from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceStub
from mesh.client import Client, ClientConfig
from mesh.server import AddToServer
from mesh.testing import mesh_of
from tests.integration.agents.scripted import ScriptedInference, asks, call, custom, says
from tests.integration.agents.serving import Talk, begun, ended
from tests.integration.agents.test_events_over_rest import kill, start_gateway
from tests.integration.agents.tools.mcp_site import serving_mcp
from tests.integration.safety.apps import agents
from tests.ports import free_address

if TYPE_CHECKING:
    from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceAsyncStub


@dataclass
class Stack:
    """The agents service and the model that it asks."""

    model: ScriptedInference
    client: Client
    address: str

    async def register(self, server_id: str, url: str, **terms: Any) -> mcp_server_pb2.McpServer:
        """Make an MCP server known."""
        stub: ToolsServiceAsyncStub = ToolsServiceStub(self.client.channel(self.address))
        http = mcp_server_pb2.StreamableHttpTransport(url=Url(uri=url), **terms)
        transport = mcp_server_pb2.McpTransport(streamable_http=http)
        request = mcp_server_pb2.RegisterMcpServerRequest(server_id=server_id, transport=transport)
        return await stub.RegisterMcpServer(request)

    async def session(self, *server_ids: str, **terms: Any) -> Talk:
        """Make a session with the tools of servers."""
        typed = [tool_pb2.AgentTool(mcp=tool_pb2.McpTool(server_id=server_id, **terms)) for server_id in server_ids]
        stub = AgenticSystemServiceStub(self.client.channel(self.address))
        return await begun(stub, tools=config_pb2.AgentToolList(tools=typed))


@asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[Stack]:
    """Run the service for the time of the block."""
    model = ScriptedInference()
    peers: dict[AddToServer, Any] = {
        add_InferenceServiceServicer_to_server: model,
        add_ModelsServiceServicer_to_server: model,
    }
    settings = {"ALTIPLANO_PRIVATE_HOSTS": "127.0.0.1", "ALTIPLANO_MCP_START_S": "5"}
    async with (
        mesh_of(peers) as behind,
        Client(ClientConfig()) as client,
        agents(folder, behind.address, **settings) as address,
    ):
        yield Stack(model, client, address)


async def turn(talk: Talk, token: str | None = None) -> turn_pb2.Turn:
    """Run a turn as the holder of a token."""
    metadata = None if token is None else (("authorization", f"Bearer {token}"),)
    last = await talk.stub.CreateTurn(talk.request("hi"), metadata=metadata)
    return last.event.payload.turn_complete.turn


def results(made: turn_pb2.Turn) -> list[str]:
    """Return what the tools of a turn told the model."""
    return [response.content.text for step in made.steps for response in step.tool_execution.tool_responses]


async def test_a_server_is_asked_and_called_as_whoever_the_turn_belongs_to(tmp_path: Path) -> None:
    async with stack(tmp_path) as stacked, serving_mcp(to_anybody=False) as site:
        # whoever makes it known shows no token, and is told of no tools
        server = await stacked.register("site", site.url, pass_caller_token=True)
        assert list(server.tool_names) == []
        talk = await stacked.session("site")
        for token in ("ann", "bob"):
            stacked.model.answers = [asks(call(custom("site__who"))), says("done")]
            assert results(await turn(talk, token)) == [f"Bearer {token} None"]
        stacked.model.answers = [says("done")]
        await turn(talk)
    offered = [[tool.tool_name.custom for tool in request.available_tools] for request in stacked.model.requests]
    names = ["site__add", "site__draw", "site__fail", "site__who"]
    assert offered == [names, names, names, names, []]


async def test_a_call_that_a_person_allows_is_still_the_caller_s(tmp_path: Path) -> None:
    async with stack(tmp_path) as stacked, serving_mcp(to_anybody=False) as site:
        await stacked.register("site", site.url, pass_caller_token=True)
        talk = await stacked.session("site", requires_approval=True)
        stacked.model.answers = [asks(call(custom("site__who"))), says("done")]
        last = await talk.stub.CreateTurn(
            talk.request("hi", turn_id="mine"), metadata=(("authorization", "Bearer ann"),)
        )
        await talk.decide("mine", "one", approve=True)
        assert results(ended(await talk.resumed("mine", last.sequence))) == ["Bearer ann None"]


async def test_the_gateway_hands_the_caller_s_token_on(tmp_path: Path) -> None:
    async with stack(tmp_path) as stacked, serving_mcp(to_anybody=False) as site:
        await stacked.register("site", site.url, pass_caller_token=True)
        talk = await stacked.session("site")
        stacked.model.answers = [asks(call(custom("site__who"))), says("done")]
        listen = free_address()
        gateway = await start_gateway(listen, stacked.address)
        try:
            async with httpx.AsyncClient(headers={"authorization": "Bearer ann"}, trust_env=False) as http:
                body = {
                    "system_id": talk.system_id,
                    "session_id": talk.session_id,
                    "messages": [{"role": "user", "content": "hi"}],
                }
                answer = await http.post(f"http://{listen}/agentic_system/turn/create", json=body)
        finally:
            await kill(gateway)
    steps = answer.json()["event"]["payload"]["turn"]["steps"]
    assert steps[1]["tool_responses"][0]["content"] == "Bearer ann None"


async def test_a_server_that_is_away_or_goes_away_does_not_break_the_turn(tmp_path: Path) -> None:
    async with stack(tmp_path) as stacked, serving_mcp() as staying:
        await stacked.register("away", "http://127.0.0.1:9/mcp")
        await stacked.register("staying", staying.url)
        async with serving_mcp() as leaving:
            await stacked.register("leaving", leaving.url)
            talk = await stacked.session("away", "staying", "leaving")
            calls = [call(custom(f"{name}__add"), name, a=1, b=2) for name in ("away", "staying", "leaving")]
            stacked.model.answers = [asks(*calls), says("done")]
            first = await turn(talk)
        stacked.model.answers = [asks(*calls), says("done")]
        second = await turn(talk)
    assert results(first) == ["There is no tool away__add.", "3", "3"]
    assert results(second) == ["There is no tool away__add.", "3", "the MCP server does not answer"]
    assert [made.output_message.content.text for made in (first, second)] == ["done", "done"]
