"""The traces of turns that outlive the calls and the processes they began in; see ``mesh.telemetry.conventions``.

The call that begins a turn is its span. Whoever goes on with it, after a crash or because a person allowed a tool
call, goes on in the trace of that call with a span of its own, so that all of a turn is found in one place.
"""

from __future__ import annotations

import json

from opentelemetry.trace import Span, Status, StatusCode

from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseEvent as Event
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStreamChunk as Chunk
from llamastack.agents.v1.turn_pb2 import Turn
from llamastack.common.v1.message_pb2 import CompletionMessage
from mesh.errors import from_exception
from mesh.telemetry import contents, conventions, trace
from mesh.telemetry.answers import Answered
from mesh.telemetry.tracing import Tracing
from services.agents.course import Paused
from services.agents.journal import Journal, LeaseLost, ended_with
from services.agents.staging import Caller, Player
from services.agents.turn import StoredTurn


def trace_now() -> str | None:
    """Return the trace of the current call as turns keep it: headers in JSON, sampled or not; None outside of any."""
    known = trace.current.get()
    return None if known is None else json.dumps(dict(known.pairs()))


class ObservedStage:
    """A player of turns that makes an ``invoke_agent`` span of each run of a sampled turn but its first.

    Args:
        stage: what plays them.
        tracing: makes the spans.
        capture: whether messages and answers become attributes.
    """

    def __init__(self, stage: Player, tracing: Tracing, *, capture: bool) -> None:
        self._stage = stage
        self._tracing = tracing
        self._capture = capture

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._stage.now()

    async def play(self, turn: StoredTurn, journal: Journal, caller: Caller) -> CompletionMessage:
        """Return the output of a turn.

        Raises:
            Paused: a person has to allow tool calls first.
            MeshError: the turn can't go on.
        """
        if turn.attempt <= 1:
            return await self._stage.play(turn, journal, caller)
        left_in = None if turn.trace is None else trace.read(json.loads(turn.trace))
        name = f"{conventions.AGENT} {turn.system_id}"
        with self._tracing.resuming(name, left_in, _described(turn)) as span:
            if span is None:
                return await self._stage.play(turn, journal, caller)
            if self._capture:
                span.set_attributes(contents.of_request(conventions.AGENT, turn.request))
            try:
                output = await self._stage.play(turn, journal, caller)
            except (Paused, LeaseLost):
                raise
            except Exception as error:
                span.set_attribute("error.type", from_exception(error).code.name)
                span.set_status(Status(StatusCode.ERROR))
                raise
            self._tell(span, output)
            return output

    def _tell(self, span: Span, output: CompletionMessage) -> None:
        answered, said = Answered(), contents.Said(conventions.AGENT)
        chunk = Chunk(event=Event(payload=ended_with(Turn(output_message=output))))
        answered.add(chunk)
        told = answered.attributes()
        if self._capture:
            said.add(chunk)
            told |= said.attributes(told.get("gen_ai.response.finish_reasons", ()))
        span.set_attributes(told)


def _described(turn: StoredTurn) -> dict[str, str | int]:
    return {
        conventions.OPERATION: conventions.AGENT,
        conventions.PROVIDER: conventions.OURS,
        conventions.AGENT_ID: turn.system_id,
        conventions.SESSION: turn.session_id,
        conventions.TURN: turn.turn_id,
        conventions.TENANT: turn.tenant,
        conventions.ATTEMPT: turn.attempt,
    }
