"""A model elsewhere: an OpenAI-compatible server on loopback whose answers the test decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeAlias

from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from tests.e2e.conftest import RunningMesh

Message: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[list[Message]], Message]
"""Gives the assistant's message to a conversation, both in OpenAI's form."""

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


@contextmanager
def registered(mesh: RunningMesh, model: str, answer: Answer) -> Iterator[None]:
    """Have the mesh serve a model of that name, which gives these answers, for the time of the block."""
    with served(model, answer) as url, mesh.channel() as channel:
        models = ModelsServiceStub(channel)
        models.RegisterModel(models_pb2.RegisterModelRequest(model_id=model, addresses=[url]), timeout=120)
        try:
            yield
        finally:
            models.UnregisterModel(models_pb2.UnregisterModelRequest(model_id=model), timeout=60)


@contextmanager
def served(model: str, answer: Answer) -> Iterator[str]:
    """Serve chat completions, streamed or not, and return the base URL."""
    handler = type("Serving", (Serving,), {"model": model, "answer": staticmethod(answer)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Serving(BaseHTTPRequestHandler):
    """One model."""

    model: str
    answer: Answer

    def do_GET(self) -> None:
        """List the model."""
        only = {"id": self.model, "object": "model", "created": 1, "owned_by": "us"}
        self._send("application/json", json.dumps({"object": "list", "data": [only]}))

    def do_POST(self) -> None:
        """Answer a conversation."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = self.answer(asked["messages"])
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        made = {"id": "c1", "created": 1, "model": self.model}
        if not asked.get("stream"):
            choice = {"index": 0, "message": {"refusal": None, **message}, "finish_reason": reason, "logprobs": None}
            whole = {**made, "object": "chat.completion", "choices": [choice], "usage": USAGE}
            self._send("application/json", json.dumps(whole))
            return
        made["object"] = "chat.completion.chunk"
        calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls", ()))]
        delta = message | ({"tool_calls": calls} if calls else {})
        chunks = [
            {**made, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**made, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
            {**made, "choices": [], "usage": USAGE},
        ]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self._send("text/event-stream", "".join([*lines, "data: [DONE]\n\n"]))

    def _send(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
