"""Requests of OpenAI's API that a service passes on to an OpenAI-compatible server, there and back without loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.openai.v1 import chat_message_pb2, chat_pb2, chat_tool_pb2, completion_pb2, embedding_pb2, usage_pb2
from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceStub
from services.inference.engine import ModelKind
from tests.integration.inference.openai_calls import front_of
from tests.integration.inference.openai_site import DONE, USAGE, USAGE_CHUNK, Reply, chunk, completion, site

COUNTS = usage_pb2.Usage(
    prompt_tokens=9,
    completion_tokens=4,
    total_tokens=13,
    prompt_tokens_details=usage_pb2.PromptTokensDetails(cached_tokens=2),
)
ENVELOPE: dict[str, Any] = {"id": "chatcmpl-1", "created": 1700000000, "model": "ours"}
REQUEST = chat_pb2.ChatCompletionRequest(
    model="ours",
    messages=[
        chat_message_pb2.ChatMessage(
            user=chat_message_pb2.UserMessage(content=chat_message_pb2.ChatContent(text="hi"), name="ann")
        )
    ],
    n=1,
    temperature=0.0,
    seed=2**62,
    logit_bias={"7": -2.0},
    stop=usage_pb2.Stop(text="END"),
    tools=[
        chat_tool_pb2.ChatTool(
            function=chat_tool_pb2.FunctionDefinition(
                name="f", parameters=JsonObject(fields={"maximum": JsonValue(big_integer_value="9" * 30)})
            )
        )
    ],
    tool_choice=chat_tool_pb2.ToolChoice(mode=chat_tool_pb2.TOOL_CHOICE_MODE_AUTO),
    reasoning_effort=chat_pb2.REASONING_EFFORT_LOW,
    metadata={"a": "b"},
    stream_options=usage_pb2.StreamOptions(include_usage=True),
)
BODY: dict[str, Any] = {
    "model": "theirs",
    "messages": [{"role": "user", "content": "hi", "name": "ann"}],
    "n": 1,
    "temperature": 0.0,
    "seed": 2**62,
    "logit_bias": {"7": -2.0},
    "stop": "END",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"maximum": int("9" * 30)}}}],
    "tool_choice": "auto",
    "reasoning_effort": "low",
    "metadata": {"a": "b"},
}


async def test_a_chat_goes_there_and_back(tmp_path: Path) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"maximum": 1'}}
    reply = Reply(completion({"content": "Hello", "tool_calls": [call]}, finish="tool_calls"))
    async with site(reply) as server, front_of(server.url, folder=tmp_path) as mesh:
        response = await mesh.stub(OpenAIServiceStub).ChatCompletion(REQUEST)
    function = chat_tool_pb2.ChatFunctionCall(name="f", arguments='{"maximum": 1')
    assert response == chat_pb2.ChatCompletionResponse(
        choices=[
            chat_pb2.ChatCompletionChoice(
                message=chat_message_pb2.ChatCompletionMessage(
                    content="Hello", tool_calls=[chat_tool_pb2.ChatToolCall(id="call_1", function=function)]
                ),
                finish_reason=usage_pb2.FINISH_REASON_TOOL_CALLS,
            )
        ],
        usage=COUNTS,
        **ENVELOPE,
    )
    assert server.asked("chat/completions") == [BODY]


async def test_a_streamed_chat_goes_there_and_back(tmp_path: Path) -> None:
    begin = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    position = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hi"}, logprobs={"content": [position]}),
        chunk({"tool_calls": [begin]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        chunk(**USAGE_CHUNK),
        DONE,
    ]
    async with site(Reply(events=events)) as server, front_of(server.url, folder=tmp_path) as mesh:
        got = [part async for part in mesh.stub(OpenAIServiceStub).StreamChatCompletion(REQUEST)]

    def piece(delta: chat_pb2.ChatCompletionDelta, **members: Any) -> chat_pb2.ChatCompletionChunk:
        choice = chat_pb2.ChatCompletionChunkChoice(delta=delta, **members)
        return chat_pb2.ChatCompletionChunk(choices=[choice], **ENVELOPE)

    token = chat_pb2.TokenLogprob(token="Hi", logprob=-0.5, bytes=b"Hi")
    begun = chat_tool_pb2.ChatToolCallDelta(
        id="call_1",
        type=chat_tool_pb2.CHAT_TOOL_TYPE_FUNCTION,
        function=chat_tool_pb2.ChatFunctionCallDelta(name="f", arguments=""),
    )
    more = chat_tool_pb2.ChatToolCallDelta(function=chat_tool_pb2.ChatFunctionCallDelta(arguments="{}"))
    assert got == [
        piece(chat_pb2.ChatCompletionDelta(role=chat_message_pb2.CHAT_ROLE_ASSISTANT, content="")),
        piece(chat_pb2.ChatCompletionDelta(content="Hi"), logprobs=chat_pb2.ChoiceLogprobs(content=[token])),
        piece(chat_pb2.ChatCompletionDelta(tool_calls=[begun])),
        piece(chat_pb2.ChatCompletionDelta(tool_calls=[more])),
        piece(chat_pb2.ChatCompletionDelta(), finish_reason=usage_pb2.FINISH_REASON_TOOL_CALLS),
        chat_pb2.ChatCompletionChunk(usage=COUNTS, **ENVELOPE),
    ]
    assert server.asked("chat/completions") == [BODY | {"stream": True, "stream_options": {"include_usage": True}}]


async def test_completions_and_embeddings_go_there_and_back(tmp_path: Path) -> None:
    choice = {"index": 0, "text": "!", "finish_reason": "stop", "logprobs": None}
    answer = {"id": "chatcmpl-1", "object": "text_completion", "created": 1700000000, "choices": [choice]}
    vectors = {"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": "AACAPw=="}], "model": "x"}
    async with (
        site(Reply({**answer, "model": "theirs", "usage": USAGE}), Reply(vectors)) as server,
        front_of(server.url, folder=tmp_path, kind=ModelKind.EMBEDDING) as mesh,
    ):
        stub = mesh.stub(OpenAIServiceStub)
        prompt = usage_pb2.TextInput(tokens=usage_pb2.TokenIds(ids=[1, 2]))
        text = await stub.Completion(completion_pb2.CompletionRequest(model="ours", prompt=prompt, max_tokens=0))
        embedded = await stub.Embeddings(
            embedding_pb2.EmbeddingsRequest(
                model="ours",
                input=usage_pb2.TextInput(text="a"),
                encoding_format=embedding_pb2.ENCODING_FORMAT_BASE64,
            )
        )
    ended = completion_pb2.CompletionChoice(text="!", finish_reason=usage_pb2.FINISH_REASON_STOP)
    assert text == completion_pb2.CompletionResponse(choices=[ended], usage=COUNTS, **ENVELOPE)
    assert embedded == embedding_pb2.EmbeddingsResponse(
        data=[embedding_pb2.Embedding(embedding=embedding_pb2.EmbeddingVector(base64="AACAPw=="))],
        model="ours",
        usage=embedding_pb2.EmbeddingsUsage(),
    )
    assert server.asked("completions") == [{"model": "theirs", "prompt": [1, 2], "max_tokens": 0}]
    assert server.asked("embeddings") == [{"model": "theirs", "input": "a", "encoding_format": "base64"}]
