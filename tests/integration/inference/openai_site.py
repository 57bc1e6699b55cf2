"""A server of OpenAI's API that answers by a script, on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

Json = dict[str, Any]
CHAT_BODY: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)


@dataclass(frozen=True)
class Reply:
    """One answer: JSON, or events as JSON or raw bytes; with ``cut`` the connection breaks where the rest would be."""

    body: Any = None
    events: Sequence[Any] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: asyncio.Event | None = None

    def head(self) -> Json:
        kind = "application/json" if self.events is None else "text/event-stream"
        pairs = {"content-type": kind, **self.headers}
        headers = [(name.encode(), value.encode()) for name, value in pairs.items()]
        return {"type": "http.response.start", "status": self.status, "headers": headers}

    def chunks(self) -> list[bytes]:
        if self.events is None:
            return [self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()]
        return [
            event if isinstance(event, bytes) else b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
            for event in self.events
        ]


@dataclass(frozen=True)
class Request:
    """What came."""

    path: str
    body: Json | None
    authorization: str | None


class Broken(Exception):
    """Breaks the connection."""


@dataclass
class Site:
    """The server: its replies in order, the last one again and again, and what was asked."""

    replies: list[Reply]
    requests: list[Request] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        text = b""
        while (message := await receive())["type"] == "http.request":
            text += message["body"]
            if not message["more_body"]:
                break
        body = json.loads(text) if text else None
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append(Request(scope["path"], body, headers.get("authorization")))
        if scope["path"].endswith("/chat/completions"):
            CHAT_BODY.validate_python(body)
        if scope["path"].endswith("/models"):
            await self._send(MODELS, receive, send)
        else:
            await self._send(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0], receive, send)

    async def _send(self, reply: Reply, receive: Any, send: Any) -> None:
        await send(reply.head())
        for chunk in reply.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if reply.cut:
            raise Broken
        if reply.hold is not None:
            assert (await receive())["type"] == "http.disconnect"
            self.gone.set()
        await send({"type": "http.response.body", "body": b""})

    def asked(self, path: str) -> list[Json]:
        """Return the bodies that came for a path."""
        return [request.body for request in self.requests if request.path == f"/v1/{path}" and request.body]


@asynccontextmanager
async def site(*replies: Reply) -> AsyncIterator[Site]:
    """Serve the replies."""
    made = Site(list(replies))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(made, log_level="critical", lifespan="off", ws="none"))
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield made
        finally:
            server.should_exit = True
            server.force_exit = True
            await serving


def chunk(delta: Json | None = None, finish: str | None = None, **members: Any) -> Json:
    """Return a chunk of a chat completion as OpenAI's API has it."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish, "logprobs": members.pop("logprobs", None)}]
    made = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "theirs",
        "choices": members.pop("choices", choices),
        **members,
    }
    ChatCompletionChunk.model_validate(made)
    return made


def completion(message: Json, finish: str = "stop", logprobs: Any = None) -> Json:
    """Return a chat completion as OpenAI's API has it."""
    made = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "theirs",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, "refusal": None, **message},
                "finish_reason": finish,
                "logprobs": logprobs,
            }
        ],
        "usage": USAGE,
    }
    ChatCompletion.model_validate(made)
    return made


USAGE: Json = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 2},
}
USAGE_CHUNK: Json = {"usage": USAGE, "choices": []}
MODELS = Reply({"object": "list", "data": [{"id": "theirs", "object": "model", "max_model_len": 512}]})
DONE = b"data: [DONE]\n\n"
