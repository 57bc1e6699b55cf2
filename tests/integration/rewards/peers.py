"""The services behind reward scoring, on real channels: inference by script, and a code interpreter that runs code."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from typing import Any

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, UserMessage
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from llamastack.tools.v1 import tool_pb2 as tools
from llamastack.tools.v1.tools_service_pb2_grpc import ToolsServiceServicer
from mesh import identity
from mesh.errors import ResourceNotFound, WrongState


class ScriptedInference(InferenceServiceServicer):
    """Rewards by ``logits`` of the last text; says the next of ``says``, the last one again and again."""

    def __init__(self) -> None:
        """Reward length."""
        self.logits: Callable[[str], list[float]] = lambda text: [float(len(text))]
        self.says = ["Score: 5"]
        self.asked: list[pb.ChatCompletionRequest] = []
        self.scored: list[pb.MessageList] = []
        self.inside = 0
        self.most_inside = 0

    async def Score(self, request: pb.ScoreRequest, context: Any) -> pb.ScoreResponse:
        """Reward each conversation."""
        if request.model == "none":
            raise ResourceNotFound("model", request.model)
        self.scored += request.inputs
        texts = [item.messages[-1].completion.content.text for item in request.inputs]
        return pb.ScoreResponse(scores=[pb.LabelScores(logits=self.logits(text)) for text in texts])

    async def ChatCompletion(self, request: pb.ChatCompletionRequest, context: Any) -> pb.ChatCompletionResponse:
        """Say what comes next."""
        self.asked.append(request)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        # others may come in meanwhile
        await asyncio.sleep(0.01)
        self.inside -= 1
        text = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        message = CompletionMessage(content=Content(text=text), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
        return pb.ChatCompletionResponse(completion_message=message)


class Interpreter(ToolsServiceServicer):
    """Runs the code of calls in a process, as the code interpreter tells of it; ``broken`` has no sandbox."""

    def __init__(self) -> None:
        """Begin whole."""
        self.broken = False
        self.tenants: list[str] = []

    async def RunTool(self, request: tools.RunToolRequest, context: Any) -> tools.RunToolResponse:
        """Run code."""
        self.tenants.append(identity.current().tenant)
        if self.broken:
            raise WrongState("no sandbox can run here")
        code = request.arguments["code"].string_value
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=PIPE, stderr=PIPE)
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = f"completed\n[stdout]\n{out.decode()}[/stdout]\n[stderr]\n{err.decode()}[/stderr]"
        return tools.RunToolResponse(
            status=tools.TOOL_RUN_STATUS_COMPLETED, tool_name=request.tool_name, content=Content(text=text)
        )


def scripted_inference() -> ScriptedInference:
    """Return one; what it does not define is refused as not served."""
    return ScriptedInference()  # type: ignore[abstract]  # the service's other methods are not called


def interpreter() -> Interpreter:
    """Return one; what it does not define is refused as not served."""
    return Interpreter()  # type: ignore[abstract]  # the service's other methods are not called


def user(text: str) -> Message:
    """Return a message of a user."""
    return Message(user=UserMessage(content=Content(text=text)))


def agent(text: str) -> Message:
    """Return an answer."""
    return Message(
        completion=CompletionMessage(content=Content(text=text), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
    )
