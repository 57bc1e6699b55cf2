"""Rows out of the sessions of agents: their conversations as the model saw them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
)
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from mesh.errors import from_rpc
from services.training.dialogs import dialog_of

if TYPE_CHECKING:
    from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceAsyncStub

_TURNS: Final = 50


class AgentSessions:
    """Reads sessions from the agents service, as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Keep the channel."""
        self._stub: AgenticSystemServiceAsyncStub = AgenticSystemServiceStub(channel)

    async def rows(self, source: pb.SessionSource) -> AsyncGenerator[list[tuple[float, dict[str, Any]]]]:
        """Yield the rows of one session after the other.

        Raises:
            MeshError: what the service answers with; BackendUnavailable when it can't be reached.
        """
        sessions = frozenset(source.session_ids)
        try:
            async for system in self._systems(source):
                async for session in self._sessions(system.system_id):
                    if not sessions or session.session_id in sessions:
                        turns = [turn async for turn in self._turns(system.system_id, session.session_id)]
                        if rows := rows_of(system.instance_config.instructions, turns, source):
                            yield rows
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def _systems(self, source: pb.SessionSource) -> AsyncIterator[config_pb2.AgenticSystem]:
        if source.system_ids:
            for system_id in dict.fromkeys(source.system_ids):
                yield await self._stub.GetAgenticSystem(config_pb2.GetAgenticSystemRequest(agent_id=system_id))
            return
        request = config_pb2.ListAgenticSystemsRequest()
        while True:
            page = await self._stub.ListAgenticSystems(request)
            for system in page.agentic_systems:
                yield system
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _sessions(self, system_id: str) -> AsyncIterator[session_pb2.Session]:
        request = session_pb2.ListSessionsRequest(agent_id=system_id)
        while True:
            page = await self._stub.ListSessions(request)
            for session in page.sessions:
                yield session
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _turns(self, system_id: str, session_id: str) -> AsyncIterator[turn_pb2.Turn]:
        request = turn_pb2.ListTurnsRequest(
            agent_id=system_id,
            session_id=session_id,
            status=turn_pb2.TURN_STATUS_COMPLETED,
            page_size=_TURNS,
        )
        while True:
            page = await self._stub.ListTurns(request)
            for turn in page.turns:
                yield turn
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def rows_of(
    instructions: str, turns: list[turn_pb2.Turn], source: pb.SessionSource
) -> list[tuple[float, dict[str, Any]]]:
    """Return the rows of the turns of one session, oldest first, with the time at which each ended.

    A row per session holds the turns that fit the conditions; a row per turn ends with such a turn and holds those
    before it as well. Turns with a violation are in neither unless the source wants them.
    """
    kept = [turn for turn in turns if not (_excludes_violations(source) and _violated(turn))]
    chosen = [turn for turn in kept if _within(turn, source)]
    if not source.row_per_turn:
        rows = [_row(instructions, chosen)] if chosen else []
    else:
        rows = [_row(instructions, kept[: kept.index(turn) + 1]) for turn in chosen]
    return [row for row in rows if any(message["role"] == "assistant" for message in row[1]["dialog"])]


def conversation(turn: turn_pb2.Turn) -> list[Message]:
    """Return the messages of a turn as the model sees them in later turns."""
    messages = [_input(message) for message in turn.input_messages]
    for step in turn.steps:
        match step.WhichOneof("step"):
            case "inference":
                messages.append(Message(completion=step.inference.model_response))
            case "tool_execution":
                messages += [
                    Message(
                        tool_response=ToolResponseMessage(
                            call_id=response.call_id, tool_name=response.tool_name, content=response.content
                        )
                    )
                    for response in step.tool_execution.tool_responses
                ]
            case "shield_call" if step.shield_call.response.is_violation:
                said = Content(text=step.shield_call.response.violation_return_message)
                stop = StopReason.STOP_REASON_END_OF_TURN
                messages.append(Message(completion=CompletionMessage(content=said, stop_reason=stop)))
    return messages


def _row(instructions: str, turns: list[turn_pb2.Turn]) -> tuple[float, dict[str, Any]]:
    head = [Message(system=SystemMessage(content=Content(text=instructions)))] if instructions else []
    messages = head + [message for turn in turns for message in conversation(turn)]
    last = turns[-1]
    row = {"dialog": dialog_of(messages), "session_id": last.session_id, "turn_id": last.turn_id}
    return last.completed_at.ToNanoseconds() / 1e9, row


def _input(message: turn_pb2.TurnInputMessage) -> Message:
    if message.WhichOneof("message") == "tool_response":
        return Message(tool_response=message.tool_response)
    return Message(user=message.user)


def _excludes_violations(source: pb.SessionSource) -> bool:
    return source.exclude_violations if source.HasField("exclude_violations") else True


def _violated(turn: turn_pb2.Turn) -> bool:
    return any(
        step.shield_call.response.is_violation for step in turn.steps if step.WhichOneof("step") == "shield_call"
    )


def _within(turn: turn_pb2.Turn, source: pb.SessionSource) -> bool:
    ended = turn.completed_at.ToNanoseconds()
    after = not source.HasField("completed_after") or ended >= source.completed_after.ToNanoseconds()
    return after and (not source.HasField("completed_before") or ended < source.completed_before.ToNanoseconds())
