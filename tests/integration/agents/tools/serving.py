"""The tools service on a real channel, with settings of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.tool_pb2 import RestApiExecutionConfig, RestApiMethod
from llamastack.tools.v1 import tool_pb2
from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceStub, add_ToolsServiceServicer_to_server
from mesh.client import Client, ClientConfig
from mesh.config import load
from mesh.errors import MeshError, from_rpc
from mesh.json_text import value_of
from mesh.migrations import migrate
from mesh.server import Attachments
from mesh.storage import Storage, StorageConfig
from mesh.testing import Mesh, mesh_of
from services.agents.tool_parts import ToolParts
from services.agents.tools.config import ToolsConfig
from services.agents.tools.servicer import ToolsServicer
from services.agents.tools.tables import MIGRATIONS
from services.agents.tools.tool import tool_name

if TYPE_CHECKING:
    from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceAsyncStub

COMPLETED = tool_pb2.TOOL_RUN_STATUS_COMPLETED
ERROR = tool_pb2.TOOL_RUN_STATUS_ERROR
TIMEOUT = tool_pb2.TOOL_RUN_STATUS_TIMEOUT


@dataclass
class Served:
    """A running tools service."""

    mesh: Mesh
    parts: ToolParts
    storage: Storage

    @property
    def stub(self) -> ToolsServiceAsyncStub:
        """The service as its callers see it."""
        made: ToolsServiceAsyncStub = self.mesh.stub(ToolsServiceStub)
        return made

    async def run(self, name: str, session_id: str | None = None, **arguments: Any) -> tool_pb2.RunToolResponse:
        """Run a tool."""
        given = {key: value_of(value) for key, value in arguments.items()}
        request = tool_pb2.RunToolRequest(tool_name=tool_name(name), arguments=given, session_id=session_id)
        return await self.stub.RunTool(request)

    async def names(self, **chosen: Any) -> list[str]:
        """Return the names of the tools besides the builtin ones."""
        found = (await self.stub.ListTools(tool_pb2.ListToolsRequest(**chosen))).tools
        return [tool.tool_name.custom for tool in found if tool.kind != tool_pb2.TOOL_KIND_BUILTIN]

    async def register(self, name: str, url: str, method: str = "GET", **terms: Any) -> tool_pb2.Tool:
        """Make a REST API a tool."""
        config = rest(url, method, **{key: terms.pop(key) for key in ("params", "headers", "body") if key in terms})
        request = tool_pb2.RegisterToolRequest(tool_name=name, description=name, execution_config=config, **terms)
        return await self.stub.RegisterTool(request)


def rest(url: str, method: str = "GET", **terms: Any) -> RestApiExecutionConfig:
    """Return the configuration of a call."""
    return RestApiExecutionConfig(url=Url(uri=url), method=RestApiMethod.Value(f"REST_API_METHOD_{method}"), **terms)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    attachments: Attachments | None = None,
    client: Client | None = None,
    database: str | None = None,
    **settings: str,
) -> AsyncIterator[Served]:
    """Serve tools by settings, for example ``SEARXNG_URL``; hosts of loopback may be called."""
    environ = {"ALTIPLANO_PRIVATE_HOSTS": "127.0.0.1"}
    environ |= {f"ALTIPLANO_{name.removeprefix('ALTIPLANO_')}": value for name, value in settings.items()}
    storage = Storage(StorageConfig(url=database or f"sqlite:///{folder}/tools.db"))
    await migrate(storage, [MIGRATIONS])
    async with Client(ClientConfig()) as outgoing:
        parts = ToolParts(load(ToolsConfig, environ), storage, outgoing, folder)
        try:
            services = {add_ToolsServiceServicer_to_server: ToolsServicer(parts.toolbox)}
            async with mesh_of(services, attachments=attachments, client=client) as mesh:
                yield Served(mesh, parts, storage)
        finally:
            await parts.stop()
            await storage.close()


async def refused(call: Any) -> MeshError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)
