"""An inference service that takes a known time: ``python -m bench.agent_turns.model ADDRESS SECONDS``.

It calls the tool ``wait`` when the last message is a user's, and otherwise answers in four words. A user who says
``break`` has it fail in the middle of its answer. SIGUSR1 has it print how many calls are open.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.common.v1.tool_pb2 import ToolCall, ToolName
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    add_InferenceServiceServicer_to_server,
)
from mesh.errors import BackendUnavailable
from mesh.server import Registration, Server, ServerConfig

WORDS = ("All", " is", " well", ".")


class Model(InferenceServiceServicer):
    """Sends its pieces evenly over the time that it takes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def StreamChatCompletion(
        self, request: pb.ChatCompletionRequest, context: Any
    ) -> AsyncIterator[pb.ChatCompletionResponseStreamChunk]:
        pieces = [call()] if request.messages[-1].HasField("user") else [text(word) for word in WORDS]
        broken = any(message.user.content.text == "break" for message in request.messages[-3:])
        loop = asyncio.get_running_loop()
        began = loop.time()
        yield chunk(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START, text(""))
        for number, piece in enumerate(pieces, 1):
            await asyncio.sleep(began + self._seconds * number / len(pieces) - loop.time())
            if broken and number == len(WORDS) // 2:
                raise BackendUnavailable("the model is not to be reached")
            yield chunk(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS, piece)
        ended = StopReason.STOP_REASON_END_OF_TURN
        yield chunk(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE, text(""), ended)


def call() -> pb.ChatCompletionDelta:
    """Return the call of the tool."""
    made = ToolCall(call_id="one", tool_name=ToolName(custom="wait"))
    content = pb.ToolCallDeltaContent(tool_call=made)
    delta = pb.ToolCallDelta(content=content, parse_status=pb.TOOL_CALL_PARSE_STATUS_SUCCESS)
    return pb.ChatCompletionDelta(tool_call=delta)


def text(piece: str) -> pb.ChatCompletionDelta:
    """Return a piece of text."""
    return pb.ChatCompletionDelta(text=piece)


def chunk(
    kind: pb.ChatCompletionResponseEventType.ValueType,
    delta: pb.ChatCompletionDelta,
    reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED,
) -> pb.ChatCompletionResponseStreamChunk:
    """Return an event of the stream."""
    event = pb.ChatCompletionResponseEvent(event_type=kind, delta=delta, stop_reason=reason)
    return pb.ChatCompletionResponseStreamChunk(event=event)


async def main(address: str, seconds: float) -> None:
    """Serve until killed."""
    registration = Registration(add_InferenceServiceServicer_to_server, Model(seconds))
    server = Server(ServerConfig(bind=address), [registration])
    await server.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: print(server.active, flush=True))
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
