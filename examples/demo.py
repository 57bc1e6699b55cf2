"""Starts the mesh and asks the built-in model over gRPC, over REST and with the OpenAI client; then stops it again.

The same question goes all three ways; another one, with a search tool offered, shows a tool call in the RFC's JSON.
``make demo`` runs this. With ``--keep`` it asks a mesh that is already up.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import nullcontext

import grpc.aio
import httpx
import openai

from cli.chat import DEFAULT_MODEL
from cli.deployables import GATEWAY, serving
from examples.own_mesh import INTERRUPTED, own_mesh, ready
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, UserMessage
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub

QUESTION = """When does the pool in Saltmarsh open?
--- retrieved context ---
[leisure-guide] The pool in Saltmarsh opens at 8:30.
--- end of context ---"""
SEARCH = "Who played the NBA finals last year?"


async def ask_grpc() -> str:
    """Stream the answer over gRPC."""
    service = serving("inference")
    assert service is not None
    request = pb.ChatCompletionRequest(
        model=DEFAULT_MODEL, messages=[Message(user=UserMessage(content=Content(text=QUESTION)))]
    )
    async with grpc.aio.insecure_channel(service.address) as channel:
        stream = InferenceServiceStub(channel).StreamChatCompletion(request)
        return "".join([chunk.event.delta.text async for chunk in stream])


async def ask_rest() -> str:
    """Ask in the RFC's JSON over REST."""
    body = {"model": DEFAULT_MODEL, "messages": [{"role": "user", "content": QUESTION}]}
    async with httpx.AsyncClient(base_url=f"http://{GATEWAY.address}", timeout=60, trust_env=False) as client:
        response = await client.post("/inference/chat_completion", json=body)
        response.raise_for_status()
        content: str = response.json()["completion_message"]["content"]
        return content


async def ask_for_a_search() -> str:
    """Offer a search tool over REST and return the call that the model wants, as JSON."""
    body = {
        "model": DEFAULT_MODEL,
        "messages": [{"role": "user", "content": SEARCH}],
        "available_tools": [{"tool_name": "brave_search"}],
    }
    async with httpx.AsyncClient(base_url=f"http://{GATEWAY.address}", timeout=60, trust_env=False) as client:
        response = await client.post("/inference/chat_completion", json=body)
        response.raise_for_status()
        return json.dumps(response.json()["completion_message"]["tool_calls"])


async def ask_openai() -> str:
    """Ask with the OpenAI SDK, pointed at the gateway."""
    async with openai.AsyncOpenAI(base_url=f"http://{GATEWAY.address}/v1", api_key="none") as client:
        answer = await client.chat.completions.create(
            model=DEFAULT_MODEL, messages=[{"role": "user", "content": QUESTION}], temperature=0
        )
        return answer.choices[0].message.content or ""


async def ask_all() -> None:
    """Ask in every way and print the answers."""
    print(f"\n{QUESTION}\n")
    for name, ask in (("gRPC", ask_grpc), ("REST", ask_rest), ("OpenAI client", ask_openai)):
        began = time.perf_counter()
        answer = await ask()
        print(f"  {name:14} {answer}  ({(time.perf_counter() - began) * 1000:.0f} ms)")
    print(f"\n{SEARCH}  (with brave_search offered)\n\n  REST           {await ask_for_a_search()}")


def main() -> int:
    """Return 0 when every way gave an answer."""
    keep = "--keep" in sys.argv[1:]
    if not keep:
        print("Starting the mesh; loading a model with vLLM takes about a minute.", flush=True)
    try:
        with nullcontext() if keep else own_mesh() as mesh:
            if not ready(mesh):
                print("demo: the mesh did not become ready; see .altiplano/logs", file=sys.stderr)
                return 1
            asyncio.run(ask_all())
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
