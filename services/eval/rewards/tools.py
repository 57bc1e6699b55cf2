"""The code interpreter of the agents service, as reward scoring needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolName
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.tools.v1.tool_pb2 import RunToolRequest, ToolRunStatus
from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceStub
from mesh.errors import from_rpc

if TYPE_CHECKING:
    from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceAsyncStub

_INTERPRETER = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program wrote, and whether its time was up."""

    output: str
    timed_out: bool = False


class CodeRunner:
    """Runs programs as whoever calls this service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Call over the channel."""
        self._stub: ToolsServiceAsyncStub = ToolsServiceStub(channel)

    async def run(self, code: str, timeout_s: float) -> Ran:
        """Run Python in a sandbox of its own.

        Raises:
            MeshError: what the service answered with: WrongState without a sandbox, BackendUnavailable when it can't be
                reached.
        """
        request = RunToolRequest(tool_name=_INTERPRETER, arguments={"code": JsonValue(string_value=code)})
        try:
            response = await self._stub.RunTool(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return Ran("", timed_out=True)
            raise from_rpc(error) from error
        content = response.content
        texts = (
            [content.text] if content.WhichOneof("content") == "text" else [each.text for each in content.parts.parts]
        )
        return Ran("\n".join(texts), response.status == ToolRunStatus.TOOL_RUN_STATUS_TIMEOUT)
