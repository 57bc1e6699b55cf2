"""What callers do with agentic systems, sessions and turns, over the stores, the runs, the tools and the shields."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from llamastack.agents.v1 import event_pb2 as events
from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.agents.v1.turn_pb2 import AgenticSystemTurnCreateRequest, Step, Turn, TurnStatus
from mesh import identity
from mesh.errors import InvalidField
from mesh.ids import new_id
from services.agents import prompt
from services.agents.calls import Decision
from services.agents.following import Following
from services.agents.instance import effective
from services.agents.journal import Past
from services.agents.loop import Means
from services.agents.runs import Runs
from services.agents.sessions import Sessions, StoredSession
from services.agents.staging import Caller
from services.agents.systems import System, Systems
from services.agents.toolbox import toolbox
from services.agents.turn import AWAITING, RUNNING, Detail, StoredTurn
from services.agents.turns import Turns

Chunk = events.AgenticSystemTurnResponseStreamChunk


@dataclass(frozen=True, slots=True)
class Parts:
    """What there is to work with; ``trace`` gives what is kept with a turn of the call that begins it, if anything."""

    systems: Systems
    sessions: Sessions
    turns: Turns
    runs: Runs
    following: Following
    means: Means
    trace: Callable[[], str | None]


class Agents:
    """Keeps the agentic systems of every tenant and runs their turns. ``clock`` gives Unix seconds."""

    def __init__(self, parts: Parts, clock: Callable[[], float]) -> None:
        """Keep the parts."""
        self._parts = parts
        self._clock = clock

    async def create(self, tenant: str, config: AgenticSystemInstanceConfig) -> System:
        """Make a system after a look at its tools and shields.

        Raises:
            MeshError: this deployment can't run a shield, or knows no such MCP server.
        """
        await self._check(tenant, config)
        return await self._parts.systems.create(tenant, config)

    async def delete(self, tenant: str, system_id: str) -> None:
        """Delete a system with its sessions; turns under way are cancelled.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        await self._parts.systems.get(tenant, system_id)
        for session in await self._parts.sessions.of_system(system_id):
            await self._delete(session)
        await self._parts.systems.delete(tenant, system_id)

    async def create_session(self, tenant: str, system_id: str, name: str) -> str:
        """Make a session and return its id.

        Raises:
            ResourceNotFound: the tenant has no such system.
        """
        await self._parts.systems.get(tenant, system_id)
        return await self._parts.sessions.create(tenant, system_id, name)

    async def session(
        self, tenant: str, system_id: str, session_id: str, turn_ids: Sequence[str]
    ) -> tuple[StoredSession, list[Detail]]:
        """Return a session with its turns, all or those named.

        Raises:
            ResourceNotFound: there is no such session.
        """
        session = await self._parts.sessions.get(tenant, system_id, session_id)
        return session, await self._parts.turns.of_session(session_id, turn_ids)

    async def sessions(
        self, tenant: str, system_id: str, after: tuple[float, str] | None, size: int
    ) -> list[StoredSession]:
        """Return a page of sessions.

        Raises:
            ResourceNotFound: the tenant has no such system.
        """
        await self._parts.systems.get(tenant, system_id)
        return await self._parts.sessions.page(system_id, after, size)

    async def delete_session(self, tenant: str, system_id: str, session_id: str) -> None:
        """Delete a session with its turns; one under way is cancelled.

        Raises:
            ResourceNotFound: there is no such session.
        """
        await self._delete(await self._parts.sessions.get(tenant, system_id, session_id))

    async def attach(self, tenant: str, system_id: str, session_id: str, bank_ids: Sequence[str]) -> list[str]:
        """Attach banks to a session and return all that are.

        Raises:
            ResourceNotFound: there is no such session or bank.
        """
        await self._parts.sessions.get(tenant, system_id, session_id)
        for bank_id in bank_ids:
            await self._parts.means.banks.check(bank_id)
        return await self._parts.sessions.attach(session_id, bank_ids)

    async def detach(self, tenant: str, system_id: str, session_id: str, bank_ids: Sequence[str]) -> list[str]:
        """Detach banks from a session and return those that are left.

        Raises:
            ResourceNotFound: there is no such session.
        """
        await self._parts.sessions.get(tenant, system_id, session_id)
        return await self._parts.sessions.detach(session_id, bank_ids)

    async def begin(
        self, tenant: str, request: AgenticSystemTurnCreateRequest, authorization: str | None
    ) -> StoredTurn:
        """Begin a turn, or join the one that the same request began.

        Raises:
            ResourceNotFound: there is no such session.
            ResourceExists: another request began a turn of that id.
            ResourceBusy: a turn of the session is under way.
            InvalidField: an attachment is of a kind that nothing here reads.
            WrongState: this deployment can't run a shield of the override.
        """
        parts = self._parts
        system, session = await parts.sessions.opened(tenant, request.system_id, request.session_id)
        config = system.config
        if request.HasField("override_config"):
            config = effective(config, request.override_config)
            await self._check(tenant, config)
        if any(prompt.attachments_of(request)):
            await self._check_files(tenant, config, request)
        parts.runs.admit()
        uid = new_id(self._clock)
        turn = StoredTurn(
            uid=uid,
            tenant=tenant,
            turn_id=request.turn_id if request.HasField("turn_id") else uid,
            system_id=request.system_id,
            session_id=session.session_id,
            status=RUNNING,
            request=request,
            digest=sha256(request.SerializeToString(deterministic=True)).hexdigest(),
            config=config,
            identity=identity.current(),
            started_at=self._clock(),
            owner=parts.runs.owner,
            attempt=1,
            trace=parts.trace(),
        )
        start = events.AgenticSystemTurnResponseTurnStartPayload(turn_id=turn.turn_id)
        payload = events.AgenticSystemTurnResponsePayload(turn_start=start)
        first = Chunk(event=events.AgenticSystemTurnResponseEvent(payload=payload), sequence=1)
        with parts.runs.beginning(uid):
            stored = await parts.turns.begin(turn, first)
            if stored.uid == uid:
                parts.runs.start(stored, Past([first]), Caller(authorization, session.bank_ids))
        return stored

    def events(self, turn: StoredTurn, after: int = 0) -> AsyncGenerator[Chunk]:
        """Yield the events of a turn after a sequence number; see :meth:`Following.events`."""
        return self._parts.following.events(turn, after)

    async def last(self, turn: StoredTurn, after: int = 0) -> Chunk:
        """Wait for the last event of a turn; see :meth:`Following.last`."""
        return await self._parts.following.last(turn, after)

    async def cancel(self, turn: StoredTurn) -> Turn:
        """End a turn that is under way and return it as it is then."""
        await self._parts.turns.cancel(turn)
        self._parts.runs.drop(turn.uid)
        return await self.now(turn)

    async def decide(self, turn: StoredTurn, call_id: str, decision: Decision, reason: str) -> Turn:
        """Write what a person decided on a tool call and return the turn, which goes on if no other call waits.

        Raises:
            ResourceNotFound: the turn has no such call.
            WrongState: the call does not wait, and was not decided so before.
        """
        if await self._parts.turns.decide(turn, call_id, decision, reason):
            self._parts.runs.wake()
        return await self.now(turn)

    async def turns(self, session: StoredSession, status: TurnStatus.ValueType, after: int, size: int) -> list[Detail]:
        """Return a page of the turns of a session."""
        return await self._parts.turns.page(session.session_id, status, after, size)

    async def step(self, turn: StoredTurn, step_id: str) -> Step:
        """Return a step of a turn.

        Raises:
            ResourceNotFound: the turn has none of that id that is done.
        """
        return await self._parts.turns.step(turn, step_id)

    async def turn(self, tenant: str, system_id: str, turn_id: str) -> StoredTurn:
        """Return a turn.

        Raises:
            ResourceNotFound: the system has none of that id.
        """
        return await self._parts.turns.get(tenant, system_id, turn_id)

    async def now(self, turn: StoredTurn) -> Turn:
        """Return a turn as callers get it, as it is now."""
        current = await self._parts.turns.get(turn.tenant, turn.system_id, turn.turn_id)
        return (await self._parts.turns.detail(current)).message()

    async def _delete(self, session: StoredSession) -> None:
        """Delete a session, and what tools and memory keep for it."""
        for detail in await self._parts.turns.of_session(session.session_id):
            if detail.turn.status in (RUNNING, AWAITING):
                await self._parts.turns.cancel(detail.turn)
                self._parts.runs.drop(detail.turn.uid)
        await self._parts.means.tools.forget(session.tenant, session.session_id)
        if session.files_bank is not None:
            await self._parts.means.banks.drop(session.files_bank)
        await self._parts.sessions.delete(session.session_id)

    async def _check(self, tenant: str, config: AgenticSystemInstanceConfig) -> None:
        tools = await toolbox(config, tenant, self._parts.means.tools)
        shields = [*config.input_shields.shields, *config.output_shields.shields]
        shields += [shield for tool in tools.tools for shield in (*tool.input_shields, *tool.output_shields)]
        shields += [shield for tool in tools.memory for shield in (*tool.input_shields, *tool.output_shields)]
        if shields:
            await self._parts.means.shields.check(shields)

    async def _check_files(
        self, tenant: str, config: AgenticSystemInstanceConfig, request: AgenticSystemTurnCreateRequest
    ) -> None:
        tools = await toolbox(config, tenant, self._parts.means.tools)
        if tools.runs_code:
            return
        for path, file in prompt.attachments_of(request):
            if prompt.is_image(file):
                if not await self._parts.means.model.is_multimodal(config.model):
                    raise InvalidField(path, f"no image, for model {config.model} reads text alone")
            elif not prompt.is_document(file):
                raise InvalidField(path, "text, PDF or an image; other files need the code_interpreter")
