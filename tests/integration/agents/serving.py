"""The agents service on a real channel, over a database, with an inference service behind another one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import (
    AgenticSystemServiceStub,
    add_AgenticSystemServiceServicer_to_server,
)
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.agents.v1.tool_pb2 import AgenticSystemToolDefinition
from llamastack.agents.v1.turn_pb2 import StepType
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import ToolResponseMessage, UserMessage
from llamastack.common.v1.tool_pb2 import ToolCall, ToolDefinition, ToolName
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.safety.v1.shield_pb2 import OnViolationAction, ShieldDefinition, ShieldType
from mesh.errors import MeshError, from_rpc
from mesh.migrations import migrate
from mesh.server import AddToServer, Attachments
from mesh.storage import Storage, StorageConfig
from mesh.telemetry.process import TelemetryConfig
from mesh.telemetry.tracing import Tracing
from mesh.testing import Mesh, mesh_of
from services.agents.config import AgentsConfig, TurnConfig
from services.agents.inference import Inference
from services.agents.loop import Means
from services.agents.memory import Banks, Memory
from services.agents.tables import MIGRATIONS
from services.agents.turn_parts import conversations
from tests.integration.agents.scripted import ScriptedInference, ScriptedShields, ScriptedTools

if TYPE_CHECKING:
    from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceAsyncStub

RAISE = OnViolationAction.ON_VIOLATION_ACTION_RAISE
WARN = OnViolationAction.ON_VIOLATION_ACTION_WARN
IGNORE = OnViolationAction.ON_VIOLATION_ACTION_IGNORE


@dataclass
class Played:
    """What is around a service: the model, the tools, the shields, the time, and memory where a test has one."""

    model: ScriptedInference = field(default_factory=ScriptedInference)
    tools: ScriptedTools = field(default_factory=ScriptedTools)
    shields: ScriptedShields = field(default_factory=ScriptedShields)
    banks: Banks | None = None
    turns: TurnConfig = field(default_factory=lambda: TurnConfig(lease_s=1.0, poll_s=0.02))
    clock: Callable[[], float] = time.time


@dataclass
class Observed:
    """How turns are observed."""

    tracing: Tracing
    capture: bool = False


@dataclass
class Served:
    """A running agents service."""

    mesh: Mesh
    around: Played

    @property
    def stub(self) -> AgenticSystemServiceAsyncStub:
        """The service as its callers see it."""
        made: AgenticSystemServiceAsyncStub = self.mesh.stub(AgenticSystemServiceStub)
        return made

    async def session(self, **config: Any) -> Talk:
        """Make an agentic system and a session with it."""
        return await begun(self.stub, **config)

    async def another(self, system_id: str) -> Talk:
        """Make one more session with a system."""
        return await opened(self.stub, system_id)


@dataclass
class Talk:
    """A session, as its client uses it."""

    stub: AgenticSystemServiceAsyncStub
    system_id: str
    session_id: str

    def request(self, *messages: Any, **more: Any) -> turn_pb2.AgenticSystemTurnCreateRequest:
        """Return the request for a turn; a plain text is a user's message."""
        return turn_pb2.AgenticSystemTurnCreateRequest(
            system_id=self.system_id, session_id=self.session_id, messages=map(message, messages), **more
        )

    async def turn(self, *messages: Any, **more: Any) -> list[Chunk]:
        """Run a turn and return its events."""
        return [chunk async for chunk in self.stub.StreamCreateTurn(self.request(*messages, **more))]

    async def resumed(self, turn_id: str, after: int = 0) -> list[Chunk]:
        """Return the events of a turn after a sequence number."""
        return [chunk async for chunk in self.stub.StreamResumeTurn(self.resume(turn_id, after))]

    def resume(self, turn_id: str, after: int = 0) -> turn_pb2.ResumeTurnRequest:
        """Return the request to go on with a turn's events."""
        return turn_pb2.ResumeTurnRequest(agent_id=self.system_id, turn_id=turn_id, after_sequence=after)

    async def get(self, turn_id: str) -> turn_pb2.Turn:
        """Return a turn."""
        return await self.stub.GetTurn(turn_pb2.GetTurnRequest(agent_id=self.system_id, turn_id=turn_id))

    async def listed(self, status: turn_pb2.TurnStatus.ValueType) -> list[turn_pb2.Turn]:
        """Return the session's turns of a status."""
        request = turn_pb2.ListTurnsRequest(agent_id=self.system_id, session_id=self.session_id, status=status)
        return list((await self.stub.ListTurns(request)).turns)

    async def cancel(self, turn_id: str) -> turn_pb2.Turn:
        """Cancel a turn."""
        return await self.stub.CancelTurn(turn_pb2.CancelTurnRequest(agent_id=self.system_id, turn_id=turn_id))

    async def decide(self, turn_id: str, call_id: str, *, approve: bool, reason: str = "") -> turn_pb2.Turn:
        """Decide on a tool call."""
        decision = turn_pb2.APPROVAL_DECISION_APPROVE if approve else turn_pb2.APPROVAL_DECISION_REJECT
        return await self.stub.ApproveToolCall(
            turn_pb2.ApproveToolCallRequest(
                agent_id=self.system_id, turn_id=turn_id, call_id=call_id, decision=decision, reason=reason
            )
        )

    async def delete(self) -> None:
        """Delete the session."""
        request = session_pb2.DeleteSessionRequest(agent_id=self.system_id, session_id=self.session_id)
        await self.stub.DeleteSession(request)

    async def whole(self) -> session_pb2.Session:
        """Return the session with its turns."""
        request = session_pb2.GetSessionRequest(agent_id=self.system_id, session_id=self.session_id)
        return await self.stub.GetSession(request)


async def begun(stub: AgenticSystemServiceAsyncStub, **config: Any) -> Talk:
    """Make an agentic system and a session with it."""
    instance = config_pb2.AgenticSystemInstanceConfig(**{"instructions": "Be brief.", **config})
    request = config_pb2.AgenticSystemCreateRequest(model="llama", instance_config=instance)
    return await opened(stub, (await stub.CreateAgenticSystem(request)).system_id)


async def opened(stub: AgenticSystemServiceAsyncStub, system_id: str) -> Talk:
    """Make a session with an agentic system."""
    request = session_pb2.AgenticSystemSessionCreateRequest(system_id=system_id, session_name="talk")
    return Talk(stub, system_id, (await stub.CreateSession(request)).session_id)


@asynccontextmanager
async def serving(
    around: Played, database_url: str, attachments: Attachments | None = None, observed: Observed | None = None
) -> AsyncIterator[Served]:
    """Serve agentic systems over a database for the time of the block."""
    storage = Storage(StorageConfig(url=database_url))
    await migrate(storage, [MIGRATIONS])
    model: dict[AddToServer, Any] = {
        add_InferenceServiceServicer_to_server: around.model,
        add_ModelsServiceServicer_to_server: around.model,
    }
    telemetry = TelemetryConfig(capture_contents=observed is not None and observed.capture)
    config = replace(AgentsConfig(), turns=around.turns, telemetry=telemetry)
    try:
        async with mesh_of(model) as behind:
            banks = around.banks or Memory(behind.channel)
            means = Means(Inference(behind.channel), banks, around.tools, around.shields, tool_timeout_s=5.0)
            tracing = None if observed is None else observed.tracing
            made = conversations(config, storage, means, tracing, around.clock)
            made.commits.start()
            await made.runs.begin()
            try:
                async with mesh_of(
                    {add_AgenticSystemServiceServicer_to_server: made.servicer}, attachments=attachments
                ) as front:
                    yield Served(front, around)
            finally:
                await made.runs.stop()
                await made.commits.stop()
    finally:
        await storage.close()


def message(given: Any) -> turn_pb2.TurnInputMessage:
    """Return a message that a turn begins with."""
    if isinstance(given, str):
        return turn_pb2.TurnInputMessage(user=UserMessage(content=Content(text=given)))
    if isinstance(given, Content):
        return turn_pb2.TurnInputMessage(user=UserMessage(content=given))
    if isinstance(given, ToolResponseMessage):
        return turn_pb2.TurnInputMessage(tool_response=given)
    assert isinstance(given, turn_pb2.TurnInputMessage)
    return given


def tools(*given: Any) -> config_pb2.ToolDefinitionList:
    """Return tools of a system, each by its name, its definition for the model, or in full."""
    return config_pb2.ToolDefinitionList(tools=map(_tool, given))


def _tool(given: Any) -> AgenticSystemToolDefinition:
    if isinstance(given, ToolName):
        return AgenticSystemToolDefinition(tool_name=given)
    if isinstance(given, ToolDefinition):
        return AgenticSystemToolDefinition(tool_name=given.tool_name, description=given.description)
    assert isinstance(given, AgenticSystemToolDefinition)
    return given


def told(made: ToolCall, text: str) -> ToolResponseMessage:
    """Return what a client tells of a call that it ran."""
    return ToolResponseMessage(call_id=made.call_id, tool_name=made.tool_name, content=Content(text=text))


def shield(word: str, action: OnViolationAction.ValueType = RAISE) -> ShieldDefinition:
    """Return a shield against a word."""
    return ShieldDefinition(shield_type=ShieldType(custom=word), on_violation_action=action)


def shape(chunks: Sequence[Chunk]) -> list[str]:
    """Return events as words, one each; the kind of a step stands behind its name."""
    return [_word(chunk) for chunk in chunks]


def _word(chunk: Chunk) -> str:
    payload = chunk.event.payload
    kind = str(payload.WhichOneof("payload"))
    if kind == "step_progress" and payload.step_progress.HasField("tool_call_delta"):
        return "call"
    if kind == "step_progress":
        step = payload.step_progress
        return f"+{step.model_response_text_delta or step.tool_response_text_delta}"
    if kind in {"step_start", "step_complete"}:
        name = StepType.Name(getattr(payload, kind).step_type).removeprefix("STEP_TYPE_").lower()
        # a look into a map makes an entry
        metadata = payload.step_start.metadata
        touchpoint = metadata["touchpoint"].string_value if "touchpoint" in metadata else ""
        return f"{kind.removeprefix('step_')} {name}{' ' if touchpoint else ''}{touchpoint}"
    return kind


def ended(chunks: Sequence[Chunk]) -> turn_pb2.Turn:
    """Return the turn that the last event holds."""
    return chunks[-1].event.payload.turn_complete.turn


async def refused(call: Any) -> MeshError:
    """Return the error that a call or a stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_drained(call) if hasattr(call, "__aiter__") else call)
    return from_rpc(caught.value)


async def _drained(stream: Any) -> None:
    async for _ in stream:
        pass


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something is so, for at most ten seconds."""
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - what happens has no event of its own
            await asyncio.sleep(0.005)
