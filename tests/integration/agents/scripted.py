"""An inference service that replays what a test wrote down, and tools and shields that do what a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llamastack.common.v1.content_pb2 import Attachment, Content
from llamastack.common.v1.message_pb2 import Message, StopReason
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolDefinition, ToolName, ToolResponse
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceServicer
from llamastack.safety.v1.shield_pb2 import BuiltinShield, ShieldDefinition, ShieldResponse
from mesh.errors import MeshError, OutOfRange, ResourceNotFound, WrongState
from mesh.json_text import Loose, value_of
from services.agents.shielding import ShieldContext
from services.agents.toolbox import name_of
from services.agents.tooling import KnownTool, ToolContext, ToolResult

START = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START
PROGRESS = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS
COMPLETE = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE

END_OF_TURN = StopReason.STOP_REASON_END_OF_TURN
END_OF_MESSAGE = StopReason.STOP_REASON_END_OF_MESSAGE
OUT_OF_TOKENS = StopReason.STOP_REASON_OUT_OF_TOKENS

SEARCH = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH)
CODE = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER)


def custom(name: str) -> ToolName:
    """Return the name of a tool that is not builtin."""
    return ToolName(custom=name)


def call(name: ToolName, call_id: str = "one", **arguments: Loose) -> ToolCall:
    """Return a call of a tool."""
    return ToolCall(
        call_id=call_id, tool_name=name, arguments={key: value_of(value) for key, value in arguments.items()}
    )


@dataclass(frozen=True)
class Said:
    """An answer of the model; ``wait`` holds it back before its last event."""

    pieces: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    reason: StopReason.ValueType = END_OF_TURN
    failure: MeshError | None = None
    wait: asyncio.Event | None = None
    began: asyncio.Event | None = None

    async def events(self) -> AsyncIterator[pb.ChatCompletionResponseEvent]:
        yield _event(START)
        for piece in self.pieces:
            yield _event(PROGRESS, pb.ChatCompletionDelta(text=piece))
        for made in self.calls:
            started = pb.ToolCallDelta(parse_status=pb.TOOL_CALL_PARSE_STATUS_STARTED)
            yield _event(PROGRESS, pb.ChatCompletionDelta(tool_call=started))
            content = pb.ToolCallDeltaContent(tool_call=made)
            read = pb.ToolCallDelta(content=content, parse_status=pb.TOOL_CALL_PARSE_STATUS_SUCCESS)
            yield _event(PROGRESS, pb.ChatCompletionDelta(tool_call=read), self.reason)
        if self.began is not None:
            self.began.set()
        if self.wait is not None:
            await self.wait.wait()
        if self.failure is not None:
            raise self.failure
        yield _event(COMPLETE, reason=self.reason)


def says(*pieces: str, **how: Any) -> Said:
    """Return an answer in words."""
    return Said(pieces, **how)


def asks(*calls: ToolCall, **how: Any) -> Said:
    """Return an answer that calls tools."""
    return Said((), calls, **how)


class ScriptedInference(InferenceServiceServicer, ModelsServiceServicer):
    """Gives the answers in their order and keeps the requests; ``seeing`` are models that read images.

    ``context`` is what its context holds in words, 0 for any number; it is told only if ``tells`` is set.
    """

    def __init__(self, *answers: Said) -> None:
        self.answers = list(answers)
        self.requests: list[pb.ChatCompletionRequest] = []
        self.seeing: set[str] = set()
        self.context = 0
        self.tells = True

    async def StreamChatCompletion(
        self, request: pb.ChatCompletionRequest, context: Any
    ) -> AsyncIterator[pb.ChatCompletionResponseStreamChunk]:
        self.requests.append(request)
        if request.model == "nobody":
            raise ResourceNotFound("model", "nobody")
        words = sum(len(line(message).split()) for message in request.messages)
        if self.context and words >= self.context:
            raise OutOfRange(f"the prompt has {words} tokens and the context holds {self.context}")
        async for event in self.answers.pop(0).events():
            event.usage.prompt_tokens = words
            yield pb.ChatCompletionResponseStreamChunk(event=event)

    async def GetModel(self, request: models_pb2.GetModelRequest, context: Any) -> models_pb2.Model:
        length = self.context if self.tells else 0
        seeing = request.model_id in self.seeing
        return models_pb2.Model(model_id=request.model_id, multimodal=seeing, context_length=length)

    def prompts(self) -> list[list[str]]:
        """Return the messages of each request as ``role: text``."""
        return [[line(message) for message in request.messages] for request in self.requests]


Act = Callable[[ToolCall, ToolContext], Awaitable[ToolResult]]


@dataclass
class ScriptedTools:
    """A ToolRunner over functions, by the tools' names; it keeps the calls with their contexts."""

    acts: dict[str, Act] = field(default_factory=dict)
    known: dict[str, KnownTool] = field(default_factory=dict)
    ran: list[tuple[ToolCall, ToolContext]] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: ToolName, act: Act | None = None, **traits: Any) -> None:
        """Add a tool; by default it answers with its own name."""
        self.acts[name_of(name)] = act or answering(f"{name_of(name)} says so")
        self.known[name_of(name)] = KnownTool(ToolDefinition(tool_name=name, description="A tool."), **traits)

    async def find(self, tenant: str, name: ToolName) -> KnownTool | None:
        return self.known.get(name_of(name))

    async def of_server(self, tenant: str, server_id: str, allowed: Sequence[str]) -> list[KnownTool]:
        found = [tool for tool in self.known.values() if tool.server_id == server_id]
        if not found:
            raise ResourceNotFound("MCP server", server_id)
        return [tool for tool in found if not allowed or name_of(tool.definition.tool_name) in allowed]

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        self.ran.append((call, context))
        return await self.acts[name_of(call.tool_name)](call, context)

    async def forget(self, tenant: str, session_id: str) -> None:
        self.forgotten.append((tenant, session_id))


def answering(text: str, *files: Attachment) -> Act:
    """Return what a tool does that always answers with a text."""

    async def act(call: ToolCall, context: ToolContext) -> ToolResult:
        response = ToolResponse(call_id=call.call_id, tool_name=call.tool_name, content=Content(text=text))
        return ToolResult(response, files)

    return act


@dataclass
class ScriptedShields:
    """A ShieldRunner that finds a violation where a shield's word is in the last message; ``broken`` ones fail."""

    broken: set[str] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def check(self, shields: Sequence[ShieldDefinition]) -> None:
        for shield in shields:
            if shield.shield_type.custom == "unknown":
                raise ResourceNotFound("shield", "unknown")

    async def run(
        self, messages: Sequence[Message], shields: Sequence[ShieldDefinition], context: ShieldContext
    ) -> list[ShieldResponse]:
        self.asked.append([line(message) for message in messages])
        if self.gate is not None:
            await self.gate.wait()
        return [self._judge(messages[-1], shield) for shield in shields]

    def _judge(self, message: Message, shield: ShieldDefinition) -> ShieldResponse:
        builtin = BuiltinShield.Name(shield.shield_type.builtin).removeprefix("BUILTIN_SHIELD_").lower()
        word = shield.shield_type.custom or builtin
        if word in self.broken:
            raise WrongState(f"shield {word} can't run")
        if word not in line(message):
            return ShieldResponse(shield_type=shield.shield_type)
        return ShieldResponse(
            shield_type=shield.shield_type,
            is_violation=True,
            violation_type=word,
            violation_return_message=f"no {word} here",
        )


def line(message: Message) -> str:
    """Return a message as ``role: text``, calls as ``[name]``."""
    kind = str(message.WhichOneof("message"))
    held = getattr(message, kind)
    parts = [part.text or f"<{part.attachment.mime_type}>" for part in held.content.parts.parts]
    text = "".join(parts) or held.content.text
    calls = "".join(f"[{name_of(made.tool_name)}]" for made in getattr(held, "tool_calls", ()))
    role = {"tool_response": "ipython", "completion": "assistant"}.get(kind, kind)
    return f"{role}: {text}{calls}"


def _event(
    kind: Any, delta: pb.ChatCompletionDelta | None = None, reason: StopReason.ValueType = 0
) -> pb.ChatCompletionResponseEvent:
    given = delta or pb.ChatCompletionDelta(text="")
    return pb.ChatCompletionResponseEvent(event_type=kind, delta=given, stop_reason=reason)
