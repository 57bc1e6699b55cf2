"""``altiplano agent``: agentic systems, conversations with them, and the steps of their turns as they happen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click
from google.protobuf.message import Message
from rich.console import Console

from cli.chat import DEFAULT_MODEL
from cli.failure import USAGE, Failure
from cli.steps import Chunk, StepView, json_view
from cli.where import NounGroup, Where, address_of
from gateway.app import load_contract
from gateway.codec.codec import Codec
from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.agents.v1.tool_pb2 import AgenticSystemToolDefinition
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import UserMessage
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolName

if TYPE_CHECKING:
    from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceAsyncStub

Result = TypeVar("Result")


class Agents(Where):
    """Where the agents service is, and whether to print JSON."""

    __slots__ = ()

    def view(self) -> Callable[[Chunk], None]:
        """Return what shows the events of turns."""
        return json_view() if self.as_json else StepView(Console(highlight=False)).show

    def do(self, work: Callable[[AgenticSystemServiceAsyncStub], Coroutine[Any, Any, Result]]) -> Result:
        """Return what some calls of the service give.

        Raises:
            Failure: the service refused, failed or can't be reached.
        """
        return self.ask(lambda channel: work(AgenticSystemServiceStub(channel)))


@click.group(cls=NounGroup)
@click.option("--address", help="host:port of the agents service; default its own of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the RFC's JSON, one line per item or event.")
@click.pass_context
def agent(context: click.Context, address: str | None, as_json: bool) -> None:
    """Talk to agentic systems, and look at their sessions and turns."""
    context.obj = Agents(address_of("agents", address), as_json)


@agent.command()
@click.argument("message", required=False)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The model's id or an alias.")
@click.option("--instructions", default="You are a helpful assistant.", help="How to behave.")
@click.option("--tool", "tools", multiple=True, help="A tool by its name, brave_search for example; repeatable.")
@click.option("--system", "system_id", help="An agentic system that is there already; default a new one.")
@click.option("--session", "session_id", help="A session of that system; default a new one.")
@click.pass_obj
def run(
    where: Agents,
    /,
    message: str | None,
    system_id: str | None,
    session_id: str | None,
    **made_of: Any,
) -> None:
    """Send MESSAGE and show the steps of the turn; without one, hold a conversation until Ctrl-D."""
    if session_id and not system_id:
        raise Failure("--session: --system is needed as well", USAGE)

    async def talk(stub: AgenticSystemServiceAsyncStub) -> None:
        system = system_id or await _system(stub, **made_of)
        request = session_pb2.AgenticSystemSessionCreateRequest(system_id=system, session_name="altiplano agent run")
        session = session_id or (await stub.CreateSession(request)).session_id
        click.echo(f"--system {system} --session {session}", err=True)
        text = message if message is not None else await asyncio.to_thread(_asked)
        while text is not None:
            await _turn(where, stub, system, session, text)
            text = None if message is not None else await asyncio.to_thread(_asked)

    where.do(talk)


@agent.command()
@click.argument("system")
@click.argument("session", required=False)
@click.pass_obj
def sessions(where: Agents, system: str, session: str | None) -> None:
    """List the sessions of SYSTEM, newest first; with SESSION, export that one with its turns as JSON."""

    async def show(stub: AgenticSystemServiceAsyncStub) -> None:
        if session is not None:
            request = session_pb2.GetSessionRequest(agent_id=system, session_id=session)
            _echo_json(await stub.GetSession(request))
            return
        token = ""
        while True:
            page = await stub.ListSessions(session_pb2.ListSessionsRequest(agent_id=system, page_token=token))
            for one in page.sessions:
                if where.as_json:
                    _echo_json(one)
                else:
                    began = one.started_at.ToDatetime().isoformat(sep=" ", timespec="seconds")
                    click.echo(f"{one.session_id}  {began}  {one.session_name}")
            if not (token := page.next_page_token):
                return

    where.do(show)


@agent.command()
@click.argument("system")
@click.argument("turn_id", metavar="TURN")
@click.pass_obj
def turn(where: Agents, system: str, turn_id: str) -> None:
    """Show TURN of SYSTEM as far as it is, as JSON."""

    async def show(stub: AgenticSystemServiceAsyncStub) -> None:
        _echo_json(await stub.GetTurn(turn_pb2.GetTurnRequest(agent_id=system, turn_id=turn_id)))

    where.do(show)


@agent.command()
@click.argument("system")
@click.argument("turn_id", metavar="TURN")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Show the events after this number; default all.")
@click.pass_obj
def resume(where: Agents, system: str, turn_id: str, after: int) -> None:
    """Show the steps of TURN of SYSTEM, and go on with them to its end."""
    request = turn_pb2.ResumeTurnRequest(agent_id=system, turn_id=turn_id, after_sequence=after)
    where.do(lambda stub: _follow(where, stub, system, stub.StreamResumeTurn(request)))


@agent.command()
@click.argument("system")
@click.argument("turn_id", metavar="TURN")
@click.argument("call")
@click.option("--reject", is_flag=True, help="Do not let it run.")
@click.option("--reason", default="", help="Why not, for the model.")
@click.pass_obj
def approve(where: Agents, system: str, turn_id: str, call: str, reject: bool, reason: str) -> None:
    """Let the tool call CALL of TURN of SYSTEM run, or not."""

    async def decide(stub: AgenticSystemServiceAsyncStub) -> None:
        made = await _decide(stub, (system, turn_id, call), approve=not reject, reason=reason)
        if where.as_json:
            _echo_json(made)
        else:
            click.echo(turn_pb2.TurnStatus.Name(made.status).removeprefix("TURN_STATUS_").lower())

    where.do(decide)


async def _system(stub: AgenticSystemServiceAsyncStub, model: str, instructions: str, tools: tuple[str, ...]) -> str:
    """Make an agentic system and return its id."""
    defined = [AgenticSystemToolDefinition(tool_name=_tool_name(tool)) for tool in tools]
    config = config_pb2.AgenticSystemInstanceConfig(
        instructions=instructions, available_tools=config_pb2.ToolDefinitionList(tools=defined)
    )
    request = config_pb2.AgenticSystemCreateRequest(model=model, instance_config=config)
    return (await stub.CreateAgenticSystem(request)).system_id


async def _turn(where: Agents, stub: AgenticSystemServiceAsyncStub, system: str, session: str, text: str) -> None:
    said = turn_pb2.TurnInputMessage(user=UserMessage(content=Content(text=text)))
    request = turn_pb2.AgenticSystemTurnCreateRequest(system_id=system, session_id=session, messages=[said])
    await _follow(where, stub, system, stub.StreamCreateTurn(request))


async def _follow(
    where: Agents, stub: AgenticSystemServiceAsyncStub, system: str, events: AsyncIterable[Chunk]
) -> None:
    """Show events; a person at the terminal is asked about the calls that wait for approval."""
    show = where.view()
    async for chunk in events:
        show(chunk)
        payload = chunk.event.payload
        if payload.HasField("approval_required") and sys.stdin.isatty() and not where.as_json:
            required = payload.approval_required
            for call in required.tool_calls:
                allowed = await asyncio.to_thread(click.confirm, f"Let {call.call_id} run?")
                await _decide(stub, (system, required.turn_id, call.call_id), approve=allowed)


async def _decide(
    stub: AgenticSystemServiceAsyncStub, which: tuple[str, str, str], *, approve: bool, reason: str = ""
) -> turn_pb2.Turn:
    """Decide on the call of a system's turn, by their ids."""
    system, turn_id, call = which
    decision = turn_pb2.APPROVAL_DECISION_APPROVE if approve else turn_pb2.APPROVAL_DECISION_REJECT
    request = turn_pb2.ApproveToolCallRequest(agent_id=system, turn_id=turn_id, call_id=call, decision=decision)
    if reason:
        request.reason = reason
    return await stub.ApproveToolCall(request)


def _tool_name(name: str) -> ToolName:
    builtin = f"BUILTIN_TOOL_{name.upper()}"
    if builtin in BuiltinTool.keys():  # noqa: SIM118 - an enum's wrapper is no mapping
        return ToolName(builtin=BuiltinTool.Value(builtin))
    return ToolName(custom=name)


def _asked() -> str | None:
    """Return the next line from the terminal, None at its end."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False, err=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def _echo_json(message: Message) -> None:
    encode = Codec(load_contract().pool).encoder(message.DESCRIPTOR.full_name)
    click.echo(encode(message.SerializeToString()).decode())
