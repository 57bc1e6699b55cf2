"""``altiplano chat``: a conversation with a model, tokens as they come."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click
import grpc.aio

from cli.access import client
from cli.deployables import serving
from cli.failure import Failure, failure_of
from gateway.app import load_contract
from gateway.codec.codec import Codec
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, SystemMessage, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from mesh import json_text
from mesh.client import Client
from mesh.errors import from_rpc

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

DEFAULT_MODEL = "altiplano-builtin"


@click.command()
@click.argument("message", required=False)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The model's id or an alias.")
@click.option("--system", help="Instructions for the model.")
@click.option("--address", help="host:port of the inference service; default its own of this machine.")
@click.option("--max-tokens", default=0, help="New tokens at most; 0 is up to the end of the context.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of the RFC's JSON.")
def chat(
    message: str | None, model: str, system: str | None, address: str | None, max_tokens: int, as_json: bool
) -> None:
    """Send MESSAGE and print the answer; without one, hold a conversation until Ctrl-D."""
    service = serving("inference")
    where = address or (service.address if service else "")
    params = SamplingParams(max_tokens=max_tokens)
    request = pb.ChatCompletionRequest(model=model, sampling_params=params)
    if system:
        request.messages.append(Message(system=SystemMessage(content=Content(text=system))))
    _converse(request, message, where, as_json)


def _converse(request: pb.ChatCompletionRequest, message: str | None, where: str, as_json: bool) -> None:
    """Ask and answer in turns; the event loop rests while a person types, so that Ctrl-C ends that at once."""
    with asyncio.Runner() as runner:
        calls = client()
        try:
            while (text := _asked() if message is None else message) is not None:
                request.messages.append(Message(user=UserMessage(content=Content(text=text))))
                answer = runner.run(_turn(calls, request, where, as_json))
                request.messages.append(Message(completion=answer))
                if message is not None:
                    return
        finally:
            runner.run(calls.close())


async def _turn(calls: Client, request: pb.ChatCompletionRequest, where: str, as_json: bool) -> CompletionMessage:
    try:
        return await _answer(InferenceServiceStub(calls.channel(where)), request, as_json)
    except grpc.aio.AioRpcError as error:
        raise failure_of(from_rpc(error), where) from error


def _asked() -> str | None:
    """Return the next line from the terminal, None at its end."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False, err=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


async def _answer(
    stub: InferenceServiceAsyncStub, request: pb.ChatCompletionRequest, as_json: bool
) -> CompletionMessage:
    """Print the answer as it comes and return it as a message."""
    answer = CompletionMessage(content=Content(text=""))
    event_type = pb.ChatCompletionResponseEvent.DESCRIPTOR.full_name
    encode = Codec(load_contract().pool).encoder(event_type) if as_json else None
    async for chunk in stub.StreamChatCompletion(request):
        event = chunk.event
        if encode is not None:
            click.echo(encode(event.SerializeToString()).decode())
        elif event.delta.text:
            click.echo(event.delta.text, nl=False)
        if event.delta.tool_call.content.HasField("tool_call"):
            call = event.delta.tool_call.content.tool_call
            answer.tool_calls.append(call)
            if not as_json:
                click.echo(f"[calls {_name(call.tool_name)}({_arguments(call)})]")
        answer.content.text += event.delta.text
        if event.event_type == pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE:
            answer.stop_reason = event.stop_reason
    if not as_json:
        click.echo()
    if not answer.stop_reason:
        raise Failure("the stream ended without a stop reason")
    return answer


def _name(tool: ToolName) -> str:
    if tool.HasField("custom"):
        return tool.custom
    return BuiltinTool.Name(tool.builtin).removeprefix("BUILTIN_TOOL_").lower()


def _arguments(call: ToolCall) -> str:
    return ", ".join(f"{name}={json_text.write(value)}" for name, value in sorted(call.arguments.items()))
