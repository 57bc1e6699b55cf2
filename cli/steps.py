"""The events of a turn on a terminal as they come: each step under a heading, text as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from gateway.app import load_contract
from gateway.codec.codec import Codec
from llamastack.agents.v1 import event_pb2 as pb
from llamastack.agents.v1.turn_pb2 import ContextTrim, ShieldCallStep, Step, StepType
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from mesh import json_text

Chunk = pb.AgenticSystemTurnResponseStreamChunk

_HEADINGS: Final = {
    StepType.STEP_TYPE_INFERENCE: ("model", "cyan"),
    StepType.STEP_TYPE_TOOL_EXECUTION: ("tools", "green"),
    StepType.STEP_TYPE_SHIELD_CALL: ("shields", "magenta"),
    StepType.STEP_TYPE_MEMORY_RETRIEVAL: ("memory", "blue"),
}


class StepView:
    """Shows one turn after the other; nothing that a model or a tool says is taken for markup."""

    def __init__(self, console: Console) -> None:
        """Show on a console."""
        self._console = console
        self._in_text = False

    def show(self, chunk: Chunk) -> None:
        """Show an event."""
        payload = chunk.event.payload
        match payload.WhichOneof("payload"):
            case "step_start":
                self._start(payload.step_start)
            case "step_progress":
                self._progress(payload.step_progress)
            case "step_complete":
                self._complete(payload.step_complete.step_details)
            case "approval_required":
                for call in payload.approval_required.tool_calls:
                    self._line("waits for approval: ", call_text(call), "yellow")
            case "turn_complete":
                turn = payload.turn_complete.turn
                if turn.steps and turn.steps[-1].HasField("shield_call"):
                    self._line("", content_text(turn.output_message.content), "")

    def _start(self, start: pb.AgenticSystemTurnResponseStepStartPayload) -> None:
        heading, style = _HEADINGS[start.step_type]
        where = start.metadata["touchpoint"].string_value if "touchpoint" in start.metadata else ""
        self._console.print(Text(f"{heading} {where}".rstrip(), style=f"bold {style}"))

    def _progress(self, progress: pb.AgenticSystemTurnResponseStepProgressPayload) -> None:
        text = progress.model_response_text_delta or progress.tool_response_text_delta
        if text:
            self._console.print(Text(text), end="", soft_wrap=True)
            self._in_text = True

    def _complete(self, step: Step) -> None:
        if self._in_text:
            self._console.print()
            self._in_text = False
        match step.WhichOneof("step"):
            case "inference":
                for call in step.inference.model_response.tool_calls:
                    self._line("calls ", call_text(call), "cyan")
                if step.inference.HasField("context_trim"):
                    self._line("did not fit into the context: ", _trim_text(step.inference.context_trim), "yellow")
            case "tool_execution":
                for response in step.tool_execution.tool_responses:
                    self._line(f"{name_text(response.tool_name)}: ", content_text(response.content), "green")
            case "shield_call":
                self._judged(step.shield_call)
            case "memory_retrieval":
                found = step.memory_retrieval
                for document, score in zip(found.documents, found.scores, strict=True):
                    self._line(f"{score:.3f} ", document.document_id, "blue")

    def _judged(self, step: ShieldCallStep) -> None:
        response = step.response
        if response.is_violation:
            self._line("violation: ", f"{response.violation_type} {response.violation_return_message}".strip(), "red")
        else:
            self._line("", "no violation", "magenta")

    def _line(self, lead: str, text: str, style: str) -> None:
        self._console.print(Text(lead, style=style).append(Text(text, style="")), soft_wrap=True)


def _trim_text(trim: ContextTrim) -> str:
    """Return what a prompt lacked, as people read it."""
    return f"{trim.messages_left_out} messages left out, {trim.results_clipped} results clipped"


def json_view() -> Callable[[Chunk], None]:
    """Return what prints each event as a line of the RFC's JSON."""
    encode = Codec(load_contract().pool).encoder(Chunk.DESCRIPTOR.full_name)
    return lambda chunk: click.echo(encode(chunk.SerializeToString()).decode())


def call_text(call: ToolCall) -> str:
    """Return a call as people read it, with its id."""
    arguments = ", ".join(f"{name}={json_text.write(value)}" for name, value in sorted(call.arguments.items()))
    return f"{name_text(call.tool_name)}({arguments}) [{call.call_id}]"


def name_text(name: ToolName) -> str:
    """Return the name of a tool as people read it."""
    if name.HasField("custom"):
        return name.custom
    return BuiltinTool.Name(name.builtin).removeprefix("BUILTIN_TOOL_").lower()


def content_text(content: Content) -> str:
    """Return a content as people read it; a file as its type."""
    if content.HasField("attachment"):
        return f"<{content.attachment.mime_type}>"
    parts = content.parts.parts if content.HasField("parts") else ()
    return content.text or "".join(part.text or f"<{part.attachment.mime_type}>" for part in parts)
