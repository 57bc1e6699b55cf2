"""The agentic loop: what a turn is made of, in the order in which it happens (the RFC's agentic system).

The loop knows nothing about interruptions. A turn that was interrupted runs from its beginning again; each step that is
written already is read back instead of made (``Journal.replayed``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from services.agents.answering import Answering
from services.agents.course import Course, Violated
from services.agents.execution import Execution
from services.agents.filing import Filing
from services.agents.guard import ASSISTANT_OUTPUT, USER_INPUT, Guard, Subject, raises
from services.agents.inference import Model
from services.agents.instance import DEFAULT_MAX_INFER_ITERS
from services.agents.memory import Banks
from services.agents.prompt import tool_message
from services.agents.retrieval import Retrieval
from services.agents.shielding import ShieldRunner
from services.agents.tooling import ToolRunner


@dataclass(frozen=True, slots=True)
class Means:
    """What a turn works with; the timeouts are seconds, for one tool call and for all shields of one point."""

    model: Model
    banks: Banks
    tools: ToolRunner
    shields: ShieldRunner
    tool_timeout_s: float = 60.0
    shield_timeout_s: float = 60.0


class Loop:
    """Brings one turn to its output."""

    def __init__(self, means: Means, filing: Filing, course: Course) -> None:
        """Keep the parts; ``course.messages`` holds the prompt up to and with the turn's own messages."""
        config = course.turn.config
        self._course = course
        self._filing = filing
        self._inputs, self._outputs = config.input_shields.shields, config.output_shields.shields
        self._limit = config.max_infer_iters or DEFAULT_MAX_INFER_ITERS
        self._guard = Guard(means.shields, course, means.shield_timeout_s)
        # what a shield may still replace is not sent ahead of its judgement
        self._holds = any(map(raises, self._outputs))
        self._answering = Answering(means.model, course, holding=self._holds)
        self._retrieval = Retrieval(means.banks, means.model, self._guard, course)
        self._execution = Execution(means.tools, self._guard, course, means.tool_timeout_s)

    async def run(self, attached: list[str]) -> CompletionMessage:
        """Return the turn's output; ``attached`` are the banks of its session.

        Raises:
            Paused: a person has to allow tool calls first.
            MeshError: the turn can't go on.
        """
        try:
            await self._guard.check(USER_INPUT, [Subject(self._course.messages, self._inputs)])
            await self._retrieval.retrieve(await self._filing.file(self._course, attached))
            return await self._converse()
        except Violated as violated:
            return violated.output

    async def _converse(self) -> CompletionMessage:
        """Have model and tools take turns until there is an answer that the output shields let through."""
        messages = self._course.messages
        # what was said since the output shields judged
        said: list[CompletionMessage] = []
        for iteration in range(1, self._limit + 1):
            answer = await self._answering.answer(first=iteration == 1)
            if iteration == self._limit or answer.stop_reason == StopReason.STOP_REASON_OUT_OF_TOKENS:
                break
            ours, theirs = self._sorted(answer)
            if not answer.tool_calls:
                if answer.stop_reason != StopReason.STOP_REASON_END_OF_MESSAGE:
                    break
                messages.append(Message(completion=answer))
                said += [answer] if answer.content.text else []
                continue
            if theirs or (self._holds and (said or answer.content.text)):
                await self._let_through(said, answer)
                said.clear()
            self._answering.release()
            messages.append(Message(completion=answer))
            if ours:
                responses = await self._execution.execute(iteration, answer, ours)
                messages += [tool_message(response, self._course.reading) for response in responses]
            if theirs:
                return answer
        await self._let_through(said, answer)
        return answer

    def _sorted(self, answer: CompletionMessage) -> tuple[list[ToolCall], list[ToolCall]]:
        """Return the calls that run here, and those that the client has to run."""
        is_clients = self._course.toolbox.is_clients
        ours = [call for call in answer.tool_calls if not is_clients(call)]
        return ours, [call for call in answer.tool_calls if is_clients(call)]

    async def _let_through(self, before: Sequence[CompletionMessage], answer: CompletionMessage) -> None:
        """Have the output shields judge an answer and what was said before it, and send what was held back for that.

        Raises:
            Violated: it is not let through; its text is in no event and in no step.
        """
        opening = self._course.opening
        judged = [Subject([*opening, Message(completion=one)], self._outputs) for one in (*before, answer)]
        if not self._answering.is_holding:
            await self._guard.check(ASSISTANT_OUTPUT, judged)
            return
        judgement = await self._guard.judge(judged)
        self._answering.release(withheld=judgement.raises)
        self._guard.note(ASSISTANT_OUTPUT, judgement)
