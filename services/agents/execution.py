"""The tool_execution steps of a turn, with the shields and the approval before and after them.

A call that may have effects is written down as started before it runs. When its process dies, the next owner of the
turn finds it so and does not run it again: its response says that nobody knows whether it took effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponsePayload as Payload
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStepProgressPayload as Progressed
from llamastack.agents.v1.turn_pb2 import Step, StepType, ToolExecutionStep
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.common.v1.tool_pb2 import ToolCall, ToolResponse
from services.agents.calls import CallState, StoredCall
from services.agents.course import Course, Paused
from services.agents.guard import TOOL_INPUT, TOOL_OUTPUT, Guard, Subject
from services.agents.prompt import tool_message
from services.agents.toolbox import name_of
from services.agents.tooling import AgentTool, Progress, ToolContext, ToolResult, ToolRunner
from services.agents.turn import timestamp

_TOOLS: Final = StepType.STEP_TYPE_TOOL_EXECUTION
_GRACE_S: Final = 5.0

UNCERTAIN: Final = (
    "The service stopped while this tool ran. Whether the call took effect is not known; it was not repeated."
)

Result = TypeVar("Result")


class Execution:
    """Runs the calls of one answer that belong here."""

    def __init__(self, runner: ToolRunner, guard: Guard, course: Course, timeout_s: float) -> None:
        """Keep the parts; ``timeout_s`` is what one call may take."""
        self._runner = runner
        self._guard = guard
        self._course = course
        self._timeout_s = timeout_s

    async def execute(self, iteration: int, answer: CompletionMessage, calls: Sequence[ToolCall]) -> list[ToolResponse]:
        """Return the responses to calls of the inference of that number (from 1), in their order.

        Raises:
            Paused: a person has to allow calls first.
            Violated: a shield of a tool ends the turn.
            MeshError: a shield could not judge, or a tool could not even be tried.
        """
        await self._guard.check(TOOL_INPUT, [self._arguments(answer, call) for call in calls])
        await self._approve(iteration, calls)
        responses = await self._step(iteration, calls)
        await self._guard.check(TOOL_OUTPUT, [self._result(response) for response in responses])
        return responses

    def _arguments(self, answer: CompletionMessage, call: ToolCall) -> Subject:
        asked = CompletionMessage(content=answer.content, stop_reason=answer.stop_reason, tool_calls=[call])
        tool = self._course.toolbox.find(call.tool_name)
        # the answer itself is the last message by now
        before = self._course.messages[:-1]
        return Subject([*before, Message(completion=asked)], tool.input_shields if tool else ())

    def _result(self, response: ToolResponse) -> Subject:
        tool = self._course.toolbox.find(response.tool_name)
        said = tool_message(response, self._course.reading)
        return Subject([*self._course.messages, said], tool.output_shields if tool else ())

    async def _approve(self, iteration: int, calls: Sequence[ToolCall]) -> None:
        journal, toolbox = self._course.journal, self._course.toolbox
        asking: list[ToolCall] = []
        waiting = False
        for position, call in enumerate(calls):
            stored, tool = journal.call(iteration, position), toolbox.find(call.tool_name)
            if stored is not None:
                waiting = waiting or stored.state is CallState.WAITING
            elif tool is not None and tool.requires_approval:
                journal.keep(StoredCall(iteration, position, call, CallState.WAITING))
                asking.append(call)
        if asking:
            await journal.pause(asking)
            raise Paused
        if waiting:
            await journal.rest()
            raise Paused

    async def _step(self, iteration: int, calls: Sequence[ToolCall]) -> list[ToolResponse]:
        course = self._course
        step = course.journal.replayed(_TOOLS)
        if step is not None:
            return list(step.tool_execution.tool_responses)
        began, step_id = course.clock(), course.journal.begin(_TOOLS)
        results = await together([self._one(iteration, position, call, step_id) for position, call in enumerate(calls)])
        made = ToolExecutionStep(
            turn_id=course.turn.turn_id,
            step_id=step_id,
            started_at=timestamp(began),
            completed_at=timestamp(course.clock()),
            tool_calls=calls,
            tool_responses=[result.response for result in results],
        )
        course.journal.record(Step(tool_execution=made), [file for result in results for file in result.attachments])
        return [result.response for result in results]

    async def _one(self, iteration: int, position: int, call: ToolCall, step_id: str) -> ToolResult:
        """Run a call, unless what is written of it says otherwise."""
        journal, tool = self._course.journal, self._course.toolbox.find(call.tool_name)
        if tool is None:
            return _said(call, f"There is no tool {name_of(call.tool_name)}.")
        stored = journal.call(iteration, position) or StoredCall(iteration, position, call)
        if stored.state is CallState.REJECTED:
            why = f": {stored.reason}" if stored.reason else "."
            return _said(call, f"A person did not allow this call{why}")
        if stored.state is CallState.DONE and stored.response is not None:
            return ToolResult(stored.response, tuple(stored.files))
        if stored.state is CallState.STARTED and not tool.idempotent:
            return _said(call, UNCERTAIN)
        if tool.idempotent:
            return await self._run(call, tool, step_id)
        started = replace(stored, state=CallState.STARTED)
        journal.keep(started)
        await journal.settle()
        result = await self._run(call, tool, step_id)
        journal.keep(replace(started, state=CallState.DONE, response=result.response, files=result.attachments))
        return result

    async def _run(self, call: ToolCall, tool: AgentTool, step_id: str) -> ToolResult:
        course = self._course
        context = ToolContext(
            tenant=course.turn.tenant,
            session_id=course.turn.session_id,
            turn_id=course.turn.turn_id,
            timeout_s=self._timeout_s,
            tool=tool,
            files=tuple(course.reading.files.values()),
            authorization=course.authorization,
            # what a shield may still hold back is not sent ahead of its judgement
            progress=None if tool.output_shields else self._progress(step_id),
        )
        try:
            async with asyncio.timeout(self._timeout_s + _GRACE_S):
                return await self._runner.run(call, context)
        except TimeoutError:
            return _said(call, f"The tool did not answer within {self._timeout_s:g} s.")

    def _progress(self, step_id: str) -> Progress:
        async def emit(text: str) -> None:
            told = Progressed(step_type=_TOOLS, step_id=step_id, tool_response_text_delta=text)
            self._course.journal.emit(Payload(step_progress=told))

        return emit


async def together(coroutines: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return the results of coroutines that run at once; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _said(call: ToolCall, text: str) -> ToolResult:
    """Return a result in the service's own words."""
    response = ToolResponse(call_id=call.call_id, tool_name=call.tool_name, content=Content(text=text))
    return ToolResult(response, is_error=True)
