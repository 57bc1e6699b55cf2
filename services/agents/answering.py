"""The inference steps of a turn, sent as they come or held back until somebody lets them through."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from llamastack.agents.v1.config_pb2 import ToolChoice
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponsePayload as Payload
from llamastack.agents.v1.event_pb2 import AgenticSystemTurnResponseStepProgressPayload as Progress
from llamastack.agents.v1.turn_pb2 import ContextTrim, InferenceStep, Step, StepType
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.inference.v1.inference_pb2 import (
    ChatCompletionDelta,
    ChatCompletionRequest,
    ChatCompletionResponseEvent,
)
from mesh.errors import OutOfRange, WrongState
from mesh.json_text import Loose, value_of
from services.agents.course import Course
from services.agents.inference import Answer, Model
from services.agents.toolbox import name_of
from services.agents.turn import timestamp

_INFERENCE: Final = StepType.STEP_TYPE_INFERENCE
_TRIES: Final = 5
"""Prompts that are made of one conversation when the inference service finds them too long."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An answer that nobody has seen."""

    message: CompletionMessage
    began: float
    ended: float
    trim: ContextTrim | None
    deltas: list[ChatCompletionDelta] = field(default_factory=list)


class Answering:
    """Asks the model. With ``holding`` nothing of an answer is sent before :meth:`release`."""

    def __init__(self, model: Model, course: Course, *, holding: bool) -> None:
        """Keep the parts."""
        self._model = model
        self._course = course
        self._holding = holding
        self._held: list[_Held] = []
        self._trim: ContextTrim | None = None

    async def answer(self, *, first: bool) -> CompletionMessage:
        """Return the model's next message, as a step of its own; ``first`` in its turn.

        Raises:
            MeshError: what the inference service answered with.
            WrongState: the model had to call a tool and did not.
        """
        course = self._course
        step = course.journal.replayed(_INFERENCE)
        if step is not None:
            return step.inference.model_response
        message = await (self._hold(first=first) if self._holding else self._stream(first=first))
        if first and course.turn.config.tool_choice == ToolChoice.TOOL_CHOICE_REQUIRED and not message.tool_calls:
            raise WrongState("the model called no tool, which tool_choice demands")
        return message

    @property
    def is_holding(self) -> bool:
        """Whether there are answers that nobody has seen."""
        return bool(self._held)

    def release(self, *, withheld: bool = False) -> None:
        """Send the answers that were held back; ``withheld`` has all but their ends left out."""
        for held in self._held:
            step_id = self._course.journal.begin(_INFERENCE)
            message = held.message
            if withheld:
                message = CompletionMessage(content=Content(text=""), stop_reason=message.stop_reason)
            for delta in held.deltas if not withheld else ():
                self._progress(step_id, delta)
            self._record(step_id, message, held.began, held.ended, held.trim)
        self._held.clear()

    async def _stream(self, *, first: bool) -> CompletionMessage:
        began, answer = self._course.clock(), Answer()
        step_id = self._course.journal.begin(_INFERENCE)
        async with aclosing(self._events(first=first)) as events:
            async for event in events:
                answer.add(event)
                self._progress(step_id, event.delta)
        message = answer.message()
        self._record(step_id, message, began, self._course.clock(), self._trim)
        return message

    async def _hold(self, *, first: bool) -> CompletionMessage:
        began, answer = self._course.clock(), Answer()
        deltas = []
        async with aclosing(self._events(first=first)) as events:
            async for event in events:
                answer.add(event)
                deltas.append(event.delta)
        message = answer.message()
        self._held.append(_Held(message, began, self._course.clock(), self._trim, deltas))
        return message

    async def _events(self, *, first: bool) -> AsyncGenerator[ChatCompletionResponseEvent]:
        """Yield the events of an answer; a prompt that is too long is made shorter before anything is said to it.

        Raises:
            OutOfRange: what can't be left out does not fit.
        """
        course = self._course
        room, refused, said = course.window.room(course.turn.config), 0, False
        for left in reversed(range(_TRIES)):
            request = self._request(first=first)
            made = course.window.fit(request, course.outline, room)
            self._trim = (
                None if made.is_whole else ContextTrim(messages_left_out=made.left_out, results_clipped=made.clipped)
            )
            try:
                async with aclosing(self._model.chat(request)) as events:
                    async for event in events:
                        said = said or event.delta.WhichOneof("delta") == "tool_call" or bool(event.delta.text)
                        course.window.counted(request, event.usage.prompt_tokens)
                        yield event
                return
            except OutOfRange:
                room = course.window.refused(request)
                if said or not left or room is None or request.ByteSize() == refused:
                    raise
                refused = request.ByteSize()

    def _progress(self, step_id: str, delta: ChatCompletionDelta) -> None:
        """Send a piece of an answer; the empty ones at both ends of a stream tell nothing."""
        made = Progress(step_type=_INFERENCE, step_id=step_id)
        if delta.WhichOneof("delta") == "tool_call":
            made.tool_call_delta.CopyFrom(delta.tool_call)
        elif delta.text:
            made.model_response_text_delta = delta.text
        else:
            return
        self._course.journal.emit(Payload(step_progress=made))

    def _record(
        self, step_id: str, message: CompletionMessage, began: float, ended: float, trim: ContextTrim | None
    ) -> None:
        step = InferenceStep(
            turn_id=self._course.turn.turn_id,
            step_id=step_id,
            started_at=timestamp(began),
            completed_at=timestamp(ended),
            model_response=message,
            context_trim=trim,
        )
        self._course.journal.record(Step(inference=step))

    def _request(self, *, first: bool) -> ChatCompletionRequest:
        course, config = self._course, self._course.turn.config
        request = ChatCompletionRequest(
            model=config.model,
            messages=course.messages,
            sampling_params=config.sampling_params if config.HasField("sampling_params") else None,
            tool_prompt_format=config.tool_prompt_format,
            quantization_config=config.quantization_config if config.HasField("quantization_config") else None,
            session_id=course.turn.session_id,
        )
        # a prefix for debugging stands for what would be made of the tools as well
        if not config.debug_prefix_messages.messages:
            request.available_tools.extend(course.toolbox.definitions())
        if config.tool_choice == ToolChoice.TOOL_CHOICE_REQUIRED and first and course.toolbox.tools:
            schema = value_of({"anyOf": [_schema(tool) for tool in course.toolbox.definitions()]})
            request.guidance.json_schema.CopyFrom(schema.object_value)
        return request


def _schema(tool: ToolDefinition) -> Loose:
    """Return the JSON Schema of a call of a tool, as models write calls in JSON."""
    required: list[Loose] = [
        name for name, told in sorted(tool.parameters.items()) if told.required or not told.HasField("required")
    ]
    properties: dict[str, Loose] = {name: {} for name in tool.parameters}
    parameters: dict[str, Loose] = {"type": "object", "properties": properties, "required": required}
    if properties:
        parameters["additionalProperties"] = False
    return {
        "type": "object",
        "properties": {
            "type": {"const": "function"},
            "name": {"const": name_of(tool.tool_name)},
            "parameters": parameters,
        },
        "required": ["type", "name", "parameters"],
        "additionalProperties": False,
    }
