"""An inference service that says the last word of what it is asked, and takes a known time for a batch of any size.

``python -m bench.evaluation.model ADDRESS SECONDS``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    add_InferenceServiceServicer_to_server,
)
from mesh.server import Registration, Server, ServerConfig


class Model(InferenceServiceServicer):
    """Answers batches of conversations."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def StreamBatchChatCompletion(
        self, request: pb.BatchChatCompletionRequest, context: Any
    ) -> AsyncIterator[pb.BatchProgress]:
        await asyncio.sleep(self._seconds)
        for index, asked in enumerate(request.messages_batch):
            word = asked.messages[-1].user.content.text.rpartition(" ")[2]
            said = CompletionMessage(content=Content(text=word), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
            response = pb.ChatCompletionResponse(completion_message=said)
            yield pb.BatchProgress(index=index, response=response, total=len(request.messages_batch))


async def main(address: str, seconds: float) -> None:
    """Serve until killed."""
    server = Server(ServerConfig(bind=address), [Registration(add_InferenceServiceServicer_to_server, Model(seconds))])
    await server.start()
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
