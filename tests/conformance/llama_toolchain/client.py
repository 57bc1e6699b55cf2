"""Drives the chat client of llama-toolchain and prints, as JSON, what it gave and what it printed for each call.

Runs with the interpreter of an environment that holds llama-toolchain: ``client.py BASE_URL``.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from contextlib import redirect_stdout

from llama_models.llama3.api.datatypes import (
    URL,
    Attachment,
    BuiltinTool,
    CompletionMessage,
    SamplingParams,
    SamplingStrategy,
    StopReason,
    SystemMessage,
    ToolCall,
    ToolDefinition,
    ToolParamDefinition,
    ToolResponseMessage,
    UserMessage,
)
from llama_toolchain.inference.api import ChatCompletionRequest, LogProbConfig
from llama_toolchain.inference.client import InferenceClient
from llama_toolchain.inference.event_logger import EventLogger

QUESTION = UserMessage(content="hello")
FORECAST = ToolDefinition(
    tool_name="get_forecast",
    description="Tells the weather.",
    parameters={
        "city": ToolParamDefinition(param_type="string", description="The city."),
        "days": ToolParamDefinition(param_type="int", required=False),
    },
)
DIALOG = [
    SystemMessage(content="Be brief."),
    UserMessage(content=["look at ", Attachment(url=URL(uri="data:text/plain,hi"), mime_type="text/plain")]),
    CompletionMessage(
        content="",
        stop_reason=StopReason.end_of_message,
        tool_calls=[
            ToolCall(call_id="one", tool_name=BuiltinTool.brave_search, arguments={"query": "snow", "pages": 2}),
            ToolCall(call_id="two", tool_name="get_forecast", arguments={"city": "La Paz", "at": None, "in": [1, 2.5]}),
        ],
    ),
    ToolResponseMessage(call_id="one", tool_name=BuiltinTool.brave_search, content="none"),
    ToolResponseMessage(call_id="two", tool_name="get_forecast", content="sun"),
    UserMessage(content="so?"),
]
SAMPLING = SamplingParams(strategy=SamplingStrategy.top_p, temperature=0.5, top_p=0.9, max_tokens=64)


def requests() -> dict[str, ChatCompletionRequest]:
    """Return the calls by name."""
    plain = {"model": "llama", "messages": [QUESTION]}
    calling = {"model": "caller", "messages": [QUESTION], "available_tools": [FORECAST]}
    searching = {
        "model": "searcher",
        "messages": [QUESTION],
        "available_tools": [ToolDefinition(tool_name=BuiltinTool.brave_search)],
    }
    return {
        "whole": ChatCompletionRequest(**plain),
        "stream": ChatCompletionRequest(**plain, stream=True),
        "logprobs": ChatCompletionRequest(**plain, logprobs=LogProbConfig(top_k=2)),
        "custom tool": ChatCompletionRequest(**calling),
        "custom tool, stream": ChatCompletionRequest(**calling, stream=True),
        "builtin tool": ChatCompletionRequest(**searching),
        "builtin tool, stream": ChatCompletionRequest(**searching, stream=True),
        "out of tokens": ChatCompletionRequest(model="long", messages=[QUESTION]),
        "every message": ChatCompletionRequest(
            model="llama", messages=DIALOG[:1] + DIALOG[2:], sampling_params=SAMPLING
        ),
        "attachment": ChatCompletionRequest(model="llama", messages=DIALOG[:2]),
        "unknown model": ChatCompletionRequest(model="nobody", messages=[QUESTION]),
        "engine dies": ChatCompletionRequest(model="dying", messages=[QUESTION], stream=True),
    }


async def main(base_url: str) -> None:
    """Make the calls one after the other."""
    results = {}
    with redirect_stdout(io.StringIO()) as begun:
        client = InferenceClient(base_url)
    assert base_url in begun.getvalue()
    for name, request in requests().items():
        with redirect_stdout(io.StringIO()) as said:
            given = [answer async for answer in client.chat_completion(request)]
        results[name] = {"given": [answer.model_dump(mode="json") for answer in given], "said": said.getvalue()}
    with redirect_stdout(io.StringIO()) as said:
        async for line in EventLogger().log(client.chat_completion(requests()["stream"])):
            line.print()
    results["event logger"] = {"given": [], "said": said.getvalue()}
    json.dump(results, sys.stdout)


asyncio.run(main(sys.argv[1]))
