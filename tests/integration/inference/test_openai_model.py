"""A model of an OpenAI-compatible server elsewhere, asked through both contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolDefinition, ToolName, ToolParamDefinition
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import (
    WrongState,
)
from services.inference.engine import ModelKind
from tests.integration.inference.openai_calls import chat, failed, model_of, text
from tests.integration.inference.openai_site import DONE, USAGE, USAGE_CHUNK, Reply, chunk, completion, site

WEATHER = ToolDefinition(
    tool_name=ToolName(custom="weather"),
    description="Tells the weather.",
    parameters={
        "city": ToolParamDefinition(param_type="string", description="The city."),
        "days": ToolParamDefinition(param_type="list[int]", required=False),
    },
)
PARIS = ToolCall(
    call_id="call_7",
    tool_name=ToolName(custom="weather"),
    arguments={"city": JsonValue(string_value="Paris"), "days": JsonValue(integer_value=9007199254740993)},
)
SEARCH = ToolCall(
    call_id="call_8",
    tool_name=ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH),
    arguments={"query": JsonValue(string_value="x")},
)


def progress(delta: pb.ChatCompletionDelta, **members: Any) -> pb.ChatCompletionResponseEvent:
    kind = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS
    return pb.ChatCompletionResponseEvent(event_type=kind, delta=delta, **members)


def call_piece(status: pb.ToolCallParseStatus.ValueType, content: str | ToolCall = "") -> pb.ChatCompletionDelta:
    made = (
        pb.ToolCallDeltaContent(text=content)
        if isinstance(content, str)
        else pb.ToolCallDeltaContent(tool_call=content)
    )
    return pb.ChatCompletionDelta(tool_call=pb.ToolCallDelta(content=made, parse_status=status))


START = pb.ChatCompletionResponseEvent(
    event_type=pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START, delta=pb.ChatCompletionDelta(text="")
)
STARTED = pb.TOOL_CALL_PARSE_STATUS_STARTED
IN_PROGRESS = pb.TOOL_CALL_PARSE_STATUS_IN_PROGRESS
SUCCESS = pb.TOOL_CALL_PARSE_STATUS_SUCCESS
FAILURE = pb.TOOL_CALL_PARSE_STATUS_FAILURE
COUNTS = pb.Usage(prompt_tokens=9, completion_tokens=4, cached_tokens=2)


def complete(reason: StopReason.ValueType) -> pb.ChatCompletionResponseEvent:
    kind = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE
    delta = pb.ChatCompletionDelta(text="")
    return pb.ChatCompletionResponseEvent(event_type=kind, delta=delta, stop_reason=reason, usage=COUNTS)


async def test_a_chat_is_answered_with_text_logprobs_and_usage(tmp_path: Path) -> None:
    logprobs = {"content": [_position("Hel", -0.5, {"Hel": -0.5, "Ho": -1.5}), _position("lo", -0.25, {})]}
    async with (
        site(Reply(completion({"content": "Hello"}, logprobs=logprobs))) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        response = await stub.ChatCompletion(chat(logprobs=pb.LogprobConfig(top_k=2)))
    assert response == pb.ChatCompletionResponse(
        completion_message=CompletionMessage(
            content=Content(text="Hello"), stop_reason=StopReason.STOP_REASON_END_OF_TURN
        ),
        logprobs=[
            pb.TokenLogProbs(logprobs_by_token={"Hel": -0.5, "Ho": -1.5}),
            pb.TokenLogProbs(logprobs_by_token={"lo": -0.25}),
        ],
        usage=COUNTS,
    )
    assert server.asked("chat/completions") == [
        {
            "model": "theirs",
            "messages": [{"role": "user", "content": "hi"}],
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": 2,
        }
    ]


def _position(token: str, logprob: float, candidates: dict[str, float]) -> dict[str, Any]:
    tops = [{"token": name, "logprob": value, "bytes": None} for name, value in candidates.items()]
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": tops}


async def test_a_whole_conversation_with_tools_is_written_as_the_api_says(tmp_path: Path) -> None:
    image = Attachment(url=Url(uri="data:image/png;base64,AA=="), mime_type="image/png")
    parts = ContentParts(parts=[ContentPart(text="look"), ContentPart(attachment=image)])
    search = ToolDefinition(tool_name=SEARCH.tool_name)
    messages = [
        Message(system=SystemMessage(content=Content(text="Be kind."))),
        Message(user=UserMessage(content=Content(parts=parts))),
        Message(completion=CompletionMessage(content=Content(text=""), tool_calls=[PARIS])),
        Message(
            tool_response=ToolResponseMessage(call_id="call_7", tool_name=PARIS.tool_name, content=Content(text="rain"))
        ),
    ]
    params = SamplingParams(
        strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_P,
        temperature=0.5,
        top_p=0.75,
        max_tokens=9,
        repetition_penalty=1.5,
        seed=0,
        stop=["END"],
    )
    async with (
        site(Reply(completion({"content": "ok"}))) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        await stub.ChatCompletion(
            chat(*messages, sampling_params=params, available_tools=[WEATHER, search], session_id="s")
        )
    arguments = '{"city": "Paris", "days": 9007199254740993}'
    assert server.asked("chat/completions") == [
        {
            "model": "theirs",
            "messages": [
                {"role": "system", "content": "Be kind."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "look"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                    ],
                },
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "type": "function",
                            "id": "call_7",
                            "function": {"name": "weather", "arguments": arguments},
                        }
                    ],
                },
                {"role": "tool", "content": "rain", "tool_call_id": "call_7"},
            ],
            "temperature": 0.5,
            "top_p": 0.75,
            "max_tokens": 9,
            "repetition_penalty": 1.5,
            "seed": 0,
            "stop": ["END"],
            "prompt_cache_key": "s",
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Tells the weather.",
                        "parameters": {
                            "type": "object",
                            "properties": {
                                "city": {"type": "string", "description": "The city."},
                                "days": {"type": "array", "items": {"type": "integer"}},
                            },
                            "required": ["city"],
                        },
                    },
                },
                {
                    "type": "function",
                    "function": {
                        "name": "brave_search",
                        "parameters": {
                            "type": "object",
                            "properties": {"query": {"type": "string"}},
                            "required": ["query"],
                        },
                    },
                },
            ],
        }
    ]


async def test_tool_calls_are_read(tmp_path: Path) -> None:
    calls = [
        {
            "id": "call_7",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Paris", "days": 9007199254740993}'},
        },
        {"id": "call_8", "type": "function", "function": {"name": "brave_search", "arguments": '{"query":"x"}'}},
        {"id": "call_9", "type": "function", "function": {"name": "weather", "arguments": '{"city": '}},
    ]
    async with (
        site(Reply(completion({"tool_calls": calls}, finish="tool_calls"))) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        response = await stub.ChatCompletion(chat(available_tools=[WEATHER]))
    assert response.completion_message == CompletionMessage(
        content=Content(text='{"city": '),
        stop_reason=StopReason.STOP_REASON_END_OF_MESSAGE,
        tool_calls=[PARIS, SEARCH],
    )


async def test_a_chat_is_streamed(tmp_path: Path) -> None:
    logprobs = {"content": [_position("lo", -0.25, {})]}
    events = [
        chunk({"role": "assistant", "content": ""}),
        b": a comment\r\n\r\n",
        chunk({"content": "Hel\u2028"}),
        chunk({"content": "lo"}, logprobs=logprobs),
        chunk({}, "length"),
        chunk(**USAGE_CHUNK),
        DONE,
    ]
    async with (
        site(Reply(events=events)) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        got = [chunk.event async for chunk in stub.StreamChatCompletion(chat())]
    assert got == [
        START,
        progress(pb.ChatCompletionDelta(text="Hel\u2028")),
        progress(pb.ChatCompletionDelta(text="lo"), logprobs=[pb.TokenLogProbs(logprobs_by_token={"lo": -0.25})]),
        complete(StopReason.STOP_REASON_OUT_OF_TOKENS),
    ]
    assert server.asked("chat/completions")[0]["stream_options"] == {"include_usage": True}


async def test_tool_calls_are_streamed_as_they_are_written(tmp_path: Path) -> None:
    def call(index: int, arguments: str, **begin: Any) -> dict[str, Any]:
        name = {"name": begin.pop("name")} if "name" in begin else {}
        return chunk({"tool_calls": [{"index": index, "function": {**name, "arguments": arguments}, **begin}]})

    events = [
        chunk({"role": "assistant", "content": None}),
        call(0, "", name="weather", id="call_7", type="function"),
        call(0, '{"city": "Pa'),
        call(0, 'ris", "days": 9007199254740993}'),
        call(1, '{"query":"x"}', name="brave_search", id="call_8", type="function"),
        call(2, '{"city', name="weather", id="call_9", type="function"),
        chunk({}, "tool_calls"),
        chunk(**USAGE_CHUNK),
        DONE,
    ]
    async with site(Reply(events=events)) as server, model_of(server.url, folder=tmp_path) as stub:
        got = [chunk.event async for chunk in stub.StreamChatCompletion(chat(available_tools=[WEATHER]))]
    ended = StopReason.STOP_REASON_END_OF_MESSAGE
    assert got == [
        START,
        progress(call_piece(STARTED)),
        progress(call_piece(IN_PROGRESS, '{"city": "Pa')),
        progress(call_piece(IN_PROGRESS, 'ris", "days": 9007199254740993}')),
        progress(call_piece(SUCCESS, PARIS)),
        progress(call_piece(STARTED)),
        progress(call_piece(IN_PROGRESS, '{"query":"x"}')),
        progress(call_piece(SUCCESS, SEARCH)),
        progress(call_piece(STARTED)),
        progress(call_piece(IN_PROGRESS, '{"city')),
        progress(call_piece(FAILURE), stop_reason=ended),
        complete(ended),
    ]


async def test_texts_are_continued_whole_and_as_they_come(tmp_path: Path) -> None:
    logprobs = {
        "tokens": [" upon"],
        "token_logprobs": [-0.5],
        "top_logprobs": [{" upon": -0.5, " a": -2.0}],
        "text_offset": [0],
    }
    choice = {"index": 0, "text": " upon", "finish_reason": "stop", "logprobs": logprobs}
    answer = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "theirs", "choices": [choice]}
    pieces = [
        {**answer, "choices": [{**choice, "finish_reason": None}]},
        {**answer, "choices": [{"index": 0, "text": "", "finish_reason": "length", "logprobs": None}]},
        {**answer, "choices": [], "usage": USAGE},
        DONE,
    ]
    async with (
        site(Reply({**answer, "usage": USAGE}), Reply(events=pieces)) as server,
        model_of(server.url, folder=tmp_path) as stub,
    ):
        wanted = text(logprobs=pb.LogprobConfig(top_k=1))
        response = await stub.Completion(wanted)
        chunks = [chunk async for chunk in stub.StreamCompletion(wanted)]
    probabilities = [pb.TokenLogProbs(logprobs_by_token={" upon": -0.5, " a": -2.0})]
    message = CompletionMessage(content=Content(text=" upon"), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
    assert response == pb.CompletionResponse(completion_message=message, logprobs=probabilities, usage=COUNTS)
    assert chunks == [
        pb.CompletionResponseStreamChunk(delta=" upon", logprobs=probabilities),
        pb.CompletionResponseStreamChunk(stop_reason=StopReason.STOP_REASON_OUT_OF_TOKENS, usage=COUNTS),
    ]
    asked = {"model": "theirs", "prompt": "Once", "temperature": 0.0, "max_tokens": 8, "logprobs": 1}
    assert server.asked("completions") == [
        asked,
        asked | {"stream": True, "stream_options": {"include_usage": True}},
    ]


async def test_vectors_come_in_the_order_of_the_texts_and_at_length_one(tmp_path: Path) -> None:
    data = [
        {"object": "embedding", "index": 1, "embedding": [0.0, 2.0]},
        {"object": "embedding", "index": 0, "embedding": [3.0, 4.0]},
    ]
    answer = {"object": "list", "data": data, "model": "theirs", "usage": {"prompt_tokens": 5, "total_tokens": 5}}
    async with (
        site(Reply(answer)) as server,
        model_of(server.url, folder=tmp_path, kind=ModelKind.EMBEDDING) as stub,
    ):
        response = await stub.Embeddings(pb.EmbeddingsRequest(model="ours", contents=["a", "b"]))
        other_kind = await failed(stub.ChatCompletion(chat()))
    assert [list(vector.values) for vector in response.embeddings] == [pytest.approx([0.6, 0.8]), [0.0, 1.0]]
    assert response.usage == pb.Usage(prompt_tokens=5)
    assert server.asked("embeddings") == [{"model": "theirs", "input": ["a", "b"], "encoding_format": "float"}]
    assert isinstance(other_kind, WrongState)
