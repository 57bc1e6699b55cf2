"""The gateway that one would write by hand: FastAPI, the generated stub and json_format, with one route per path."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from google.protobuf import json_format

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub

PATH = "/chat_completion"
STREAM_PATH = "/stream_chat_completion"

app = FastAPI()
_stubs: list[Any] = []


def _stub() -> Any:
    # a channel belongs to the event loop that it is made in
    if not _stubs:
        _stubs.append(InferenceServiceStub(grpc.aio.insecure_channel(os.environ["UPSTREAM"])))
    return _stubs[0]


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process serves."""
    return {}


@app.post(PATH)
async def chat_completion(body: dict[str, Any]) -> dict[str, Any]:
    """Answer with one document."""
    request = json_format.ParseDict(body, pb.ChatCompletionRequest())
    return json_format.MessageToDict(await _stub().ChatCompletion(request), preserving_proto_field_name=True)


@app.post(STREAM_PATH)
async def stream_chat_completion(body: dict[str, Any]) -> StreamingResponse:
    """Answer with an event for each message."""
    call = _stub().StreamChatCompletion(json_format.ParseDict(body, pb.ChatCompletionRequest()))

    async def events() -> AsyncIterator[str]:
        async for chunk in call:
            yield f"data: {json_format.MessageToJson(chunk, indent=None, preserving_proto_field_name=True)}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", access_log=False)
