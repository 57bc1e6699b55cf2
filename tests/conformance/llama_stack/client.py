"""Drives the inference resources of llama-stack and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-stack: ``client.py BASE_URL``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import llama_stack
from llama_stack import LlamaStack

QUESTION = {"role": "user", "content": "hello"}
TOOLS = [
    {
        "tool_name": "get_forecast",
        "description": "Tells the weather.",
        "parameters": {
            "city": {"param_type": "string", "description": "The city.", "required": True},
            "days": {"param_type": "int", "required": False},
        },
    },
    {"tool_name": "brave_search"},
]
DIALOG = [
    {"role": "system", "content": ["Be ", "brief."]},
    QUESTION,
    {
        "role": "assistant",
        "content": "",
        "stop_reason": "end_of_message",
        "tool_calls": [{"call_id": "one", "tool_name": "brave_search", "arguments": {"query": "snow", "pages": 2}}],
    },
    {"role": "ipython", "call_id": "one", "tool_name": "brave_search", "content": "none"},
]
SAMPLING = {"strategy": "top_k", "top_k": 4, "temperature": 0.5, "max_tokens": 64, "repetition_penalty": 1.1}


def calls(client: LlamaStack) -> dict[str, Callable[[], Any]]:
    """Return the calls by name."""
    chat, completion = client.inference.chat_completion, client.inference.completion
    batch = client.batch_inference
    plain = {"model": "llama", "messages": [QUESTION]}
    return {
        "chat": lambda: chat(**plain),
        "chat, stream": lambda: chat(**plain, stream=True),
        "chat, stream false": lambda: chat(**plain, stream=False),
        "chat, every setting": lambda: chat(
            model="caller",
            messages=DIALOG,
            tools=TOOLS,
            tool_choice="auto",
            tool_prompt_format="function_tag",
            sampling_params=SAMPLING,
            logprobs={"top_k": 2},
        ),
        "chat, tool, stream": lambda: chat(model="caller", messages=[QUESTION], tools=TOOLS, stream=True),
        "completion": lambda: completion(model="llama", content="Once", logprobs={"top_k": 0}),
        "completion, parts": lambda: completion(model="long", content=["Once", " more"], sampling_params=SAMPLING),
        "completion, stream": lambda: completion(model="llama", content="Once", stream=True),
        "batch chat": lambda: batch.chat_completion(model="llama", messages_batch=[[QUESTION], DIALOG]),
        "batch completion": lambda: batch.completion(model="long", content_batch=["Once", ["up", "on"]]),
        "embeddings": lambda: client.inference.embeddings.create(model="minilm", contents=["a", "b"]),
        "unknown model": lambda: chat(model="nobody", messages=[QUESTION]),
        "wrong kind": lambda: client.inference.embeddings.create(model="llama", contents=["a"]),
        "bad value": lambda: chat(**plain, sampling_params={"strategy": "top_p", "temperature": -1.0}),
        "unknown member": lambda: chat(**plain, extra_body={"temprature": 1}),
        "busy": lambda: chat(model="busy", messages=[QUESTION]),
        "engine dies": lambda: chat(model="dying", messages=[QUESTION], stream=True),
    }


def result(call: Callable[[], Any]) -> Any:
    """Return what a call gives, each object with the name of its class, or what it raises."""
    try:
        given = call()
        return [shown(item) for item in given] if isinstance(given, llama_stack.Stream) else shown(given)
    except llama_stack.APIStatusError as error:
        return {"raised": type(error).__name__, "status": error.status_code, "body": error.body}


def shown(given: Any) -> Any:
    """Return an object of the client as JSON; text as it is."""
    return (
        given if isinstance(given, str) else {type(given).__name__: given.model_dump(mode="json", exclude_unset=True)}
    )


def main(base_url: str) -> None:
    """Make the calls one after the other."""
    with LlamaStack(base_url=base_url, max_retries=0) as client:
        json.dump({name: result(call) for name, call in calls(client).items()}, sys.stdout)


main(sys.argv[1])
