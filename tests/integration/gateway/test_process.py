"""The gateway as a process: its settings, its log, a real service behind it, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.inference.v1.inference_pb2 import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatCompletionResponseStreamChunk,
)
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    add_InferenceServiceServicer_to_server,
)
from mesh.auth.apikeys import new_key
from mesh.auth.config import AuthConfig
from mesh.identity import Identity, current
from mesh.server import Attachments
from mesh.testing import mesh_of
from tests.openid import provider

WAIT_S = 30
THIS = __file__
SECRET = "s" * 32
UNFIT = {"model": "m", "messages": [{"role": "user", "content": [{"url": "", "mime_type": "text/plain"}]}]}
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Inference(InferenceServiceServicer):
    """Answers with what it was asked, and streams until it is let go."""

    def __init__(self) -> None:
        self.callers: list[Identity] = []
        self.go_on = asyncio.Event()

    async def ChatCompletion(self, request: ChatCompletionRequest, context: Any) -> ChatCompletionResponse:
        self.callers.append(current())
        content = request.messages[0].user.content
        message = CompletionMessage(content=content, stop_reason=StopReason.STOP_REASON_END_OF_TURN)
        return ChatCompletionResponse(completion_message=message)

    async def StreamChatCompletion(
        self, request: ChatCompletionRequest, context: Any
    ) -> AsyncIterator[ChatCompletionResponseStreamChunk]:
        yield ChatCompletionResponseStreamChunk()
        await self.go_on.wait()
        yield ChatCompletionResponseStreamChunk()


async def start_process(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def next_log(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_S):
        line: dict[str, Any] = json.loads(await process.stderr.readline())
    return line


@asynccontextmanager
async def gateway(**environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """Run a gateway process for the time of the block."""
    process = await start_process(ALTIPLANO_GATEWAY_BIND="127.0.0.1:0", **environment)
    try:
        while "address" not in (line := await next_log(process)):
            pass
        address = line["address"]
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=WAIT_S) as http:
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"ALTIPLANO_GATEWAY_BIND": "0.0.0.0:0"}, b"beyond loopback"),
        ({"ALTIPLANO_GATEWAY_BIND": "nowhere"}, b"is not host:port"),
        ({"ALTIPLANO_GATEWAY_UPSTREAMS": "inference"}, b"is not area=address"),
        ({"ALTIPLANO_GATEWAY_UPSTREAMS": "weather=127.0.0.1:1"}, b"no contract has the area weather"),
        ({"ALTIPLANO_GATEWAY_HEARTBEAT_S": "often"}, b"is not a number"),
        ({"ALTIPLANO_GATEWAY_BIND": "127.0.0.1:65536"}, b"65536 is no port"),
        ({"ALTIPLANO_GATEWAY_BIND": "192.0.2.1:0", "ALTIPLANO_GATEWAY_INSECURE": "1"}, b"can't be listened on"),
        ({"ALTIPLANO_GATEWAY_TRUSTED_PROXIES": "10.0.0.300/8"}, b"is not a network"),
        ({"ALTIPLANO_GATEWAY_CORS_ORIGINS": "app.example"}, b"is no origin"),
        ({"ALTIPLANO_GATEWAY_CORS_ORIGINS": "https://app.example/"}, b"is no origin"),
        ({"ALTIPLANO_GATEWAY_HTTPS_CERTIFICATE": "/x", "ALTIPLANO_GATEWAY_HTTPS_KEY": "/x"}, b"can't be read"),
        ({"ALTIPLANO_GATEWAY_HTTPS_CERTIFICATE": THIS, "ALTIPLANO_GATEWAY_HTTPS_KEY": THIS}, b"no pair of PEM files"),
    ],
)
async def test_a_bad_setting_is_one_line_and_exit_code_2(environment: dict[str, str], problem: bytes) -> None:
    process = await start_process(**environment)
    async with asyncio.timeout(WAIT_S):
        out, err = await process.communicate()
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
    assert problem in err
    assert b"Traceback" not in err


async def test_a_port_that_is_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await start_process(ALTIPLANO_GATEWAY_BIND=bind)
        async with asyncio.timeout(WAIT_S):
            _, err = await process.communicate()
    expected = f"gateway: BIND: {bind} can't be listened on: is it in use?\n"
    assert (process.returncode, err.decode()) == (2, expected)


async def test_a_process_serves_logs_and_ends_with_0_on_sigterm() -> None:
    servicer = Inference()
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}) as mesh:
        upstreams = f"inference={mesh.address}"
        async with gateway(ALTIPLANO_GATEWAY_UPSTREAMS=upstreams) as (process, http):
            unfit = await http.post("/inference/chat_completion", json=UNFIT)
            await next_log(process)
            answer = await http.post("/inference/chat_completion?", json=QUESTION, headers={"x-request-id": "r1"})
            log = await next_log(process)
            async with (
                asyncio.timeout(WAIT_S),
                http.stream("POST", "/inference/chat_completion", json=QUESTION | {"stream": True}) as stream,
            ):
                events = stream.aiter_lines()
                first = await anext(events)
                process.send_signal(signal.SIGTERM)
                servicer.go_on.set()
                rest = [line async for line in events if line]
            async with asyncio.timeout(WAIT_S):
                assert await process.wait() == 0
    assert unfit.json()["error"]["message"].startswith("messages[0].content[0].url: ")
    assert answer.json() == {
        "completion_message": {"role": "assistant", "content": "hi", "stop_reason": "end_of_turn", "tool_calls": []}
    }
    assert [first, *rest] == ["data: {}", "data: {}"]
    for name in ("time", "trace_id", "duration_ms"):
        assert log.pop(name)
    assert log == {
        "level": "info",
        "logger": "gateway.accesslog",
        "message": "POST /inference/chat_completion 200",
        "service": "gateway",
        "request_id": "r1",
        "verb": "POST",
        "path": "/inference/chat_completion",
        "route": "/llamastack.inference.v1.InferenceService/ChatCompletion",
        "status": 200,
        "bytes": len(answer.content),
        "client": "127.0.0.1",
    }


async def test_services_learn_who_calls_through_the_gateway() -> None:
    servicer = Inference()
    key, digest = new_key()
    keys = [{"name": "ci", "tenant": "acme", "sha256": digest, "scopes": ["inference:use"]}]
    auth = AuthConfig(mesh_secrets=(SECRET,))
    attachments = Attachments(authenticator=auth.services())
    async with mesh_of({add_InferenceServiceServicer_to_server: servicer}, attachments=attachments) as mesh:
        environment = {
            "ALTIPLANO_GATEWAY_UPSTREAMS": f"inference={mesh.address}",
            "ALTIPLANO_API_KEYS": json.dumps(keys),
            "ALTIPLANO_MESH_SECRET": SECRET,
        }
        async with gateway(**environment) as (_, http):
            refused = await http.post("/inference/chat_completion", json=QUESTION)
            for header in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
                answer = await http.post("/inference/chat_completion", json=QUESTION, headers=header)
                assert answer.status_code == 200, answer.text
            document = (await http.get("/openapi.json")).json()
    assert refused.status_code == 401
    assert servicer.callers == [Identity("key:ci", "acme", frozenset({"inference:use"}))] * 2
    assert "/inference/chat_completion" in document["paths"]
    assert document["components"]["securitySchemes"].keys() == {"token", "key"}


async def test_tokens_of_an_identity_provider_are_taken_that_is_known_by_its_issuer() -> None:
    servicer = Inference()
    attachments = Attachments(authenticator=AuthConfig(mesh_secrets=(SECRET,)).services())
    adding = {add_InferenceServiceServicer_to_server: servicer}
    async with mesh_of(adding, attachments=attachments) as mesh:
        with provider(path="/realm") as idp:
            environment = {
                "ALTIPLANO_GATEWAY_UPSTREAMS": f"inference={mesh.address}",
                "ALTIPLANO_JWT_ISSUER": idp.issuer,
                "ALTIPLANO_JWT_AUDIENCE": "mesh",
                "ALTIPLANO_MESH_SECRET": SECRET,
            }
            claims = {"aud": "mesh", "sub": "ann", "tenant": "acme", "scope": "inference:*", "exp": time.time() + 600}
            shown = {"authorization": f"Bearer {idp.token('k1', **claims)}"}
            async with gateway(**environment) as (_, http):
                answer = await http.post("/inference/chat_completion", json=QUESTION, headers=shown)
                assert answer.status_code == 200, answer.text
    assert servicer.callers == [Identity("user:ann", "acme", frozenset({"inference:*"}))]
