"""``llamastack.agents.v1.AgenticSystemService`` over the domain: messages in, messages out, and whose system it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from llamastack.agents.v1 import agentic_system_service_pb2_grpc as grpc_stubs
from llamastack.agents.v1 import config_pb2, event_pb2, session_pb2
from llamastack.agents.v1 import turn_pb2 as pb
from mesh import identity
from mesh.errors import OutOfRange
from mesh.metadata import AUTHORIZATION
from mesh.paging import page_size, read_token, write_token
from services.agents.agents import Agents
from services.agents.calls import Decision
from services.agents.sessions import StoredSession
from services.agents.systems import Systems
from services.agents.tools import caller
from services.agents.turn import StoredTurn, timestamp

Context = Any
Chunk = event_pb2.AgenticSystemTurnResponseStreamChunk

_SYSTEMS: Final = "ListAgenticSystems"
_SESSIONS: Final = "ListSessions"
_TURNS: Final = "ListTurns"
_DECISIONS: Final = {
    pb.APPROVAL_DECISION_APPROVE: Decision.APPROVE,
    pb.APPROVAL_DECISION_REJECT: Decision.REJECT,
}


class AgenticSystemServicer(grpc_stubs.AgenticSystemServiceServicer):
    """Keeps and runs the agentic systems of the caller's tenant."""

    def __init__(self, agents: Agents, systems: Systems) -> None:
        """Keep the parts."""
        self._agents = agents
        self._systems = systems

    async def CreateAgenticSystem(
        self, request: config_pb2.AgenticSystemCreateRequest, context: Context
    ) -> config_pb2.AgenticSystemCreateResponse:
        """Make a system."""
        config = request.instance_config
        if request.HasField("model"):
            config.model = request.model
        with caller.calling_with(_authorization(context)):
            made = await self._agents.create(_tenant(), config)
        return config_pb2.AgenticSystemCreateResponse(system_id=made.system_id)

    async def ListAgenticSystems(
        self, request: config_pb2.ListAgenticSystemsRequest, context: Context
    ) -> config_pb2.ListAgenticSystemsResponse:
        """List the systems, newest first."""
        size = page_size(request.page_size)
        found = await self._systems.page(_tenant(), _age(_SYSTEMS, request.page_token), size + 1)
        last = found[size - 1] if len(found) > size else None
        following = "" if last is None else write_token(_SYSTEMS, (last.created_at, last.system_id))
        return config_pb2.ListAgenticSystemsResponse(
            agentic_systems=[system.message() for system in found[:size]], next_page_token=following
        )

    async def GetAgenticSystem(
        self, request: config_pb2.GetAgenticSystemRequest, context: Context
    ) -> config_pb2.AgenticSystem:
        """Give one system."""
        return (await self._systems.get(_tenant(), request.agent_id)).message()

    async def DeleteAgenticSystem(
        self, request: config_pb2.DeleteAgenticSystemRequest, context: Context
    ) -> config_pb2.DeleteAgenticSystemResponse:
        """Delete a system with its sessions."""
        await self._agents.delete(_tenant(), request.agent_id)
        return config_pb2.DeleteAgenticSystemResponse()

    async def CreateSession(
        self, request: session_pb2.AgenticSystemSessionCreateRequest, context: Context
    ) -> session_pb2.AgenticSystemSessionCreateResponse:
        """Make a session."""
        session_id = await self._agents.create_session(_tenant(), request.system_id, request.session_name)
        return session_pb2.AgenticSystemSessionCreateResponse(session_id=session_id)

    async def GetSession(self, request: session_pb2.GetSessionRequest, context: Context) -> session_pb2.Session:
        """Give a session with its turns."""
        session, turns = await self._agents.session(_tenant(), request.agent_id, request.session_id, request.turn_ids)
        made = _session(session)
        made.turns.extend(detail.message() for detail in turns)
        return made

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, context: Context
    ) -> session_pb2.ListSessionsResponse:
        """List the sessions of a system, newest first."""
        size, which = page_size(request.page_size), f"{_SESSIONS} {request.agent_id}"
        found = await self._agents.sessions(_tenant(), request.agent_id, _age(which, request.page_token), size + 1)
        last = found[size - 1] if len(found) > size else None
        following = "" if last is None else write_token(which, (last.created_at, last.session_id))
        return session_pb2.ListSessionsResponse(sessions=map(_session, found[:size]), next_page_token=following)

    async def DeleteSession(
        self, request: session_pb2.DeleteSessionRequest, context: Context
    ) -> session_pb2.DeleteSessionResponse:
        """Delete a session."""
        await self._agents.delete_session(_tenant(), request.agent_id, request.session_id)
        return session_pb2.DeleteSessionResponse()

    async def AttachMemoryBank(
        self, request: session_pb2.AttachMemoryBankRequest, context: Context
    ) -> session_pb2.AttachMemoryBankResponse:
        """Attach banks."""
        agents, banks = self._agents, request.memory_bank_ids
        attached = await agents.attach(_tenant(), request.agent_id, request.session_id, banks)
        return session_pb2.AttachMemoryBankResponse(memory_bank_ids=attached)

    async def DetachMemoryBank(
        self, request: session_pb2.DetachMemoryBankRequest, context: Context
    ) -> session_pb2.DetachMemoryBankResponse:
        """Detach banks."""
        agents, banks = self._agents, request.memory_bank_ids
        attached = await agents.detach(_tenant(), request.agent_id, request.session_id, banks)
        return session_pb2.DetachMemoryBankResponse(memory_bank_ids=attached)

    async def CreateTurn(self, request: pb.AgenticSystemTurnCreateRequest, context: Context) -> Chunk:
        """Run a turn."""
        turn = await self._begin(request, context)
        return await self._agents.last(turn)

    async def StreamCreateTurn(
        self, request: pb.AgenticSystemTurnCreateRequest, context: Context
    ) -> AsyncIterator[Chunk]:
        """Run a turn and send its events."""
        turn = await self._begin(request, context)
        async with aclosing(self._agents.events(turn)) as events:
            async for event in events:
                yield event

    async def ResumeTurn(self, request: pb.ResumeTurnRequest, context: Context) -> Chunk:
        """Wait for the end of a turn."""
        turn = await self._turn(request)
        if request.after_sequence > turn.last_sequence:
            raise OutOfRange(f"after_sequence: the turn has no event {request.after_sequence} yet")
        return await self._agents.last(turn)

    async def StreamResumeTurn(self, request: pb.ResumeTurnRequest, context: Context) -> AsyncIterator[Chunk]:
        """Send the events of a turn from some point on."""
        turn = await self._turn(request)
        async with aclosing(self._agents.events(turn, request.after_sequence)) as events:
            async for event in events:
                yield event

    async def GetTurn(self, request: pb.GetTurnRequest, context: Context) -> pb.Turn:
        """Give a turn."""
        return await self._agents.now(await self._turn(request))

    async def ListTurns(self, request: pb.ListTurnsRequest, context: Context) -> pb.ListTurnsResponse:
        """List the turns of a session, oldest first."""
        size, which = page_size(request.page_size), f"{_TURNS} {request.session_id} {request.status}"
        session, _ = await self._agents.session(_tenant(), request.agent_id, request.session_id, [""])
        key = read_token(which, request.page_token)
        after = 0 if key is None else int(key[0])
        found = await self._agents.turns(session, request.status, after, size + 1)
        following = write_token(which, (found[size - 1].turn.position,)) if len(found) > size else ""
        return pb.ListTurnsResponse(turns=[turn.message() for turn in found[:size]], next_page_token=following)

    async def CancelTurn(self, request: pb.CancelTurnRequest, context: Context) -> pb.Turn:
        """End a turn."""
        return await self._agents.cancel(await self._turn(request))

    async def ApproveToolCall(self, request: pb.ApproveToolCallRequest, context: Context) -> pb.Turn:
        """Decide on a tool call."""
        turn = await self._turn(request)
        return await self._agents.decide(turn, request.call_id, _DECISIONS[request.decision], request.reason)

    async def GetStep(self, request: pb.GetStepRequest, context: Context) -> pb.AgenticSystemStepResponse:
        """Give one step."""
        step = await self._agents.step(await self._turn(request), request.step_id)
        return pb.AgenticSystemStepResponse(step=step)

    async def _begin(self, request: pb.AgenticSystemTurnCreateRequest, context: Context) -> StoredTurn:
        authorization = _authorization(context)
        with caller.calling_with(authorization):
            return await self._agents.begin(_tenant(), request, authorization)

    async def _turn(
        self,
        request: pb.ResumeTurnRequest
        | pb.GetTurnRequest
        | pb.CancelTurnRequest
        | pb.ApproveToolCallRequest
        | pb.GetStepRequest,
    ) -> StoredTurn:
        return await self._agents.turn(_tenant(), request.agent_id, request.turn_id)


def _tenant() -> str:
    return identity.current().tenant


def _age(which: str, token: str) -> tuple[float, str] | None:
    key = read_token(which, token)
    return None if key is None else (float(key[0]), str(key[1]))


def _session(session: StoredSession) -> session_pb2.Session:
    return session_pb2.Session(
        session_id=session.session_id,
        session_name=session.name,
        started_at=timestamp(session.created_at),
        memory_bank_ids=session.bank_ids,
        system_id=session.system_id,
    )


def _authorization(context: Context) -> str | None:
    pairs = context.invocation_metadata() or ()
    return next((value for key, value in pairs if key == AUTHORIZATION and isinstance(value, str)), None)
