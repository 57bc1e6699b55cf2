"""What spans of calls say, by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message import Message as AnyMessage
from prometheus_client import CollectorRegistry, generate_latest

from llamastack.agents.v1 import event_pb2, turn_pb2
from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, ToolResponseMessage, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonObject
from llamastack.inference.v1 import inference_pb2 as rfc
from llamastack.memory.v1 import query_pb2
from llamastack.openai.v1 import chat_message_pb2, chat_pb2, chat_tool_pb2, completion_pb2, embedding_pb2, usage_pb2
from llamastack.tools.v1 import tool_pb2
from mesh.json_text import value_of
from mesh.methods import Method, method
from mesh.telemetry import answers, contents, conventions
from mesh.telemetry.generation import Generation

PACKAGES = {
    "inference": "InferenceService",
    "openai": "OpenAIService",
    "agents": "AgenticSystemService",
    "tools": "ToolsService",
    "memory": "MemoryBanksService",
}
OURS = {"gen_ai.provider.name": "altiplano"}


def rpc(area: str, name: str) -> Method:
    """Return an RPC by its area."""
    return method(f"/llamastack.{area}.v1.{PACKAGES[area]}/{name}")


def told(*messages: AnyMessage) -> conventions.Attributes:
    """Return what the messages of an answer tell."""
    answer = answers.Answered()
    for message in messages:
        answer.add(message)
    return answer.attributes()


def said(doing: str, *messages: AnyMessage) -> list[object]:
    """Return the messages of the model in an answer."""
    answer = contents.Said(doing)
    for message in messages:
        answer.add(message)
    found: list[object] = json.loads(str(answer.attributes(["stop"])[contents.OUTPUT]))
    return found


@pytest.mark.parametrize(("area", "name"), conventions.OPERATIONS)
def test_every_operation_is_an_rpc_of_the_contracts(area: str, name: str) -> None:
    assert rpc(area, name).input is not None


def test_a_chat_is_told_by_the_rfc_and_by_openai_alike() -> None:
    sampling = SamplingParams(temperature=0.5, top_p=0.9, top_k=4, max_tokens=9, seed=7, stop=["###"])
    ours = rfc.ChatCompletionRequest(model="llama", sampling_params=sampling, session_id="s")
    ours.guidance.json_object = True
    theirs = chat_pb2.ChatCompletionRequest(
        model="llama", temperature=0.5, top_p=0.9, top_k=4, max_completion_tokens=9, seed=7, n=1
    )
    theirs.stop.text = "###"
    theirs.response_format.json_object.SetInParent()
    wanted = {
        "gen_ai.operation.name": "chat",
        **OURS,
        "gen_ai.request.model": "llama",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 4,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["###"],
        "gen_ai.output.type": "json",
    }
    found = conventions.of_request(rpc("inference", "StreamChatCompletion"), ours)
    assert found == wanted | {"gen_ai.request.stream": True, "gen_ai.conversation.id": "s"}
    assert conventions.of_request(rpc("openai", "ChatCompletion"), theirs) == wanted
    assert conventions.name_of(found) == "chat llama"
    theirs.n = 3
    assert conventions.of_request(rpc("openai", "ChatCompletion"), theirs)["gen_ai.request.choice.count"] == 3


def test_tools_banks_and_agents_are_named() -> None:
    tool = tool_pb2.RunToolRequest(tool_name=ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH), call_id="c1")
    found = conventions.of_request(rpc("tools", "RunTool"), tool)
    assert found == {
        "gen_ai.operation.name": "execute_tool",
        **OURS,
        "gen_ai.tool.name": "brave_search",
        "gen_ai.tool.type": "extension",
        "gen_ai.tool.call.id": "c1",
    }
    assert conventions.name_of(found) == "execute_tool brave_search"
    asked = query_pb2.QueryMemoryBankRequest(bank_id="notes", params=query_pb2.QueryParams(max_chunks=3))
    query = conventions.of_request(rpc("memory", "QueryMemoryBank"), asked)
    assert query == {
        "gen_ai.operation.name": "retrieval",
        **OURS,
        "gen_ai.data_source.id": "notes",
        "gen_ai.retrieval.top_k": 3,
    }
    assert conventions.name_of(query) == "retrieval notes"
    turn = turn_pb2.AgenticSystemTurnCreateRequest(system_id="a", session_id="s")
    agent = conventions.of_request(rpc("agents", "CreateTurn"), turn)
    assert agent == {
        "gen_ai.operation.name": "invoke_agent",
        **OURS,
        "gen_ai.agent.id": "a",
        "gen_ai.conversation.id": "s",
    }
    assert conventions.name_of(agent) == "invoke_agent"
    assert conventions.of_request(rpc("agents", "GetSession"), turn) == {"gen_ai.conversation.id": "s"}


def test_a_streamed_answer_tells_tokens_and_why_it_stopped() -> None:
    call = ToolCall(call_id="c", tool_name=ToolName(custom="weather"), arguments={"city": value_of("Paris")})
    parsed = rfc.ToolCallDelta(
        content=rfc.ToolCallDelta().content.__class__(tool_call=call),
        parse_status=rfc.ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_SUCCESS,
    )
    end = StopReason.STOP_REASON_END_OF_MESSAGE
    begun = rfc.ChatCompletionResponseStreamChunk(event=rfc.ChatCompletionResponseEvent())
    called = rfc.ChatCompletionResponseStreamChunk(
        event=rfc.ChatCompletionResponseEvent(delta=rfc.ChatCompletionDelta(tool_call=parsed), stop_reason=end)
    )
    over = rfc.ChatCompletionResponseStreamChunk(
        event=rfc.ChatCompletionResponseEvent(
            stop_reason=end, usage=rfc.Usage(prompt_tokens=7, completion_tokens=3, cached_tokens=4)
        )
    )
    assert told(begun, called, over) == {
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.response.finish_reasons": ["tool_call"],
    }
    assert [answers.says(chunk) for chunk in (begun, called, over)] == [False, True, False]
    assert said("chat", begun, called, over) == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c", "name": "weather", "arguments": {"city": "Paris"}}],
            "finish_reason": "stop",
        }
    ]


def test_openai_s_choices_are_told_in_their_order() -> None:
    stop, length = usage_pb2.FinishReason.FINISH_REASON_STOP, usage_pb2.FinishReason.FINISH_REASON_LENGTH
    delta = chat_pb2.ChatCompletionDelta
    chunks = [
        chat_pb2.ChatCompletionChunk(
            id="x",
            model="llama",
            choices=[chat_pb2.ChatCompletionChunkChoice(index=index, delta=delta(content=text), finish_reason=reason)],
        )
        for index, text, reason in ((1, "b", length), (0, "a", None), (0, "c", stop))
    ]
    chunks.append(
        chat_pb2.ChatCompletionChunk(
            id="x", model="llama", usage=usage_pb2.Usage(prompt_tokens=2, completion_tokens=3, total_tokens=5)
        )
    )
    assert told(*chunks) == {
        "gen_ai.response.id": "x",
        "gen_ai.response.model": "llama",
        "gen_ai.usage.input_tokens": 2,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ["stop", "length"],
    }
    assert [message["parts"] for message in said("chat", *chunks)] == [  # type: ignore[index]  # they are objects
        [{"type": "text", "content": "ac"}],
        [{"type": "text", "content": "b"}],
    ]
    assert answers.says(chunks[0])


def test_openai_s_tool_calls_come_together() -> None:
    pieces = [("call", "weather", '{"city"'), (None, None, ': "Paris"}')]
    chunks = []
    for call_id, name, arguments in pieces:
        chunk = chat_pb2.ChatCompletionChunk()
        delta = chunk.choices.add().delta.tool_calls.add()
        delta.function.CopyFrom(chat_tool_pb2.ChatFunctionCallDelta(name=name, arguments=arguments))
        if call_id:
            delta.id = call_id
        chunks.append(chunk)
    assert said("chat", *chunks) == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "call", "name": "weather", "arguments": '{"city": "Paris"}'}],
            "finish_reason": "stop",
        }
    ]


def test_batches_and_vectors_are_told() -> None:
    message = CompletionMessage(stop_reason=StopReason.STOP_REASON_OUT_OF_TOKENS)
    answer = rfc.ChatCompletionResponse(
        completion_message=message, usage=rfc.Usage(prompt_tokens=2, completion_tokens=1)
    )
    batch = [rfc.BatchProgress(index=index, response=answer) for index in (1, 0)]
    assert told(*batch) == {
        "gen_ai.usage.input_tokens": 4,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.response.finish_reasons": ["length", "length"],
    }
    vectors = rfc.EmbeddingsResponse(
        embeddings=[rfc.Embedding(values=[1.0, 2.0])], usage=rfc.Usage(prompt_tokens=3, completion_tokens=0)
    )
    assert told(vectors) == {
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 0,
        "gen_ai.embeddings.dimension.count": 2,
    }
    openai = embedding_pb2.EmbeddingsResponse(model="m", usage=embedding_pb2.EmbeddingsUsage(prompt_tokens=3))
    openai.data.add().embedding.values.values.extend([1.0, 2.0])
    assert told(openai) == {
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.embeddings.dimension.count": 2,
    }


def test_a_tool_that_answers_with_an_error_failed() -> None:
    kinds = {
        tool_pb2.TOOL_RUN_STATUS_COMPLETED: None,
        tool_pb2.TOOL_RUN_STATUS_ERROR: "tool_error",
        tool_pb2.TOOL_RUN_STATUS_TIMEOUT: "timeout",
    }
    for status, kind in kinds.items():
        answer = tool_pb2.RunToolResponse(call_id="c", status=status)
        assert told(answer) == {"gen_ai.tool.call.id": "c"} | ({"error.type": kind} if kind else {})


def test_a_turn_tells_how_it_ended() -> None:
    chunk = event_pb2.AgenticSystemTurnResponseStreamChunk()
    turn = chunk.event.payload.turn_complete.turn
    turn.turn_id = "t"
    turn.output_message.content.text = "Hi."
    turn.output_message.stop_reason = StopReason.STOP_REASON_END_OF_TURN
    assert told(chunk) == {"llamastack.turn.id": "t", "gen_ai.response.finish_reasons": ["stop"]}
    assert said("invoke_agent", chunk) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hi."}], "finish_reason": "stop"}
    ]


def conversation() -> rfc.ChatCompletionRequest:
    """Return a request with every kind of message."""
    call = ToolCall(call_id="c", tool_name=ToolName(custom="weather"), arguments={"city": value_of("Paris")})
    picture = Attachment(url=Url(uri="data:image/png;base64,AAAA"), mime_type="image/png")
    parts = ContentParts(parts=[ContentPart(text="Look:"), ContentPart(attachment=picture)])
    name = ToolName(custom="weather")
    return rfc.ChatCompletionRequest(
        messages=[
            Message(user=UserMessage(content=Content(parts=parts))),
            Message(completion=CompletionMessage(content=Content(text="Well."), tool_calls=[call])),
            Message(tool_response=ToolResponseMessage(call_id="c", tool_name=name, content=Content(text="rain"))),
        ]
    )


def test_messages_are_written_as_the_conventions_have_it() -> None:
    found = json.loads(str(contents.of_request("chat", conversation())[contents.INPUT]))
    assert found == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "Look:"},
                {"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "data:image/png;base64,"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Well."},
                {"type": "tool_call", "id": "c", "name": "weather", "arguments": {"city": "Paris"}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "rain"}]},
    ]
    openai = chat_pb2.ChatCompletionRequest()
    openai.messages.add().developer.content.text = "Be brief."
    openai.messages.add().user.content.parts.parts.add().text.text = "Hi"
    called = openai.messages.add().assistant.tool_calls.add(id="c")
    called.function.CopyFrom(chat_tool_pb2.ChatFunctionCall(name="weather", arguments="{}"))
    openai.messages.add().tool.CopyFrom(
        chat_message_pb2.ToolMessage(content=chat_message_pb2.ChatContent(text="rain"), tool_call_id="c")
    )
    assert json.loads(str(contents.of_request("chat", openai)[contents.INPUT])) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "weather", "arguments": "{}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "rain"}]},
    ]


def test_prompts_and_tool_arguments_are_written() -> None:
    hello = [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]
    ours = rfc.CompletionRequest(content=Content(text="Hello"))
    theirs = completion_pb2.CompletionRequest()
    theirs.prompt.texts.values.append("Hello")
    for request in (ours, theirs):
        assert json.loads(str(contents.of_request("text_completion", request)[contents.INPUT])) == hello
    run = tool_pb2.RunToolRequest(arguments={"n": value_of(3)})
    assert contents.of_request("execute_tool", run) == {contents.ARGUMENTS: '{"n": 3}'}
    assert contents.of_result(Content(text="4")) == {contents.RESULT: "4"}
    assert contents.of_request("embeddings", rfc.EmbeddingsRequest(contents=["secret"])) == {}


def test_what_is_too_long_loses_its_oldest_messages() -> None:
    request = rfc.ChatCompletionRequest()
    for text in ("old", "x" * (contents.LONGEST - 200), "new"):
        request.messages.add().user.content.text = text
    kept = json.loads(str(contents.of_request("chat", request)[contents.INPUT]))
    assert [message["parts"][0]["content"][:3] for message in kept] == ["old", "xxx", "new"]
    request.messages.add().user.content.text = "y" * 200
    kept = json.loads(str(contents.of_request("chat", request)[contents.INPUT]))
    assert [message["parts"][0]["content"][:3] for message in kept] == ["new", "yyy"]
    assert contents.of_arguments(JsonObject(fields={"a": value_of("z" * contents.LONGEST)}).fields) == {}


def test_models_are_counted_under_names_that_answered() -> None:
    registry = CollectorRegistry()
    generation = Generation(registry)
    generation.done("chat", "made-up", "NOT_FOUND", 0.01)
    generation.done("chat", "llama", "", 2.0)
    generation.used("chat", "llama", (7, 5))
    generation.streamed("chat", "llama", 0.4, 2.0, 5)
    lines = generate_latest(registry).decode().splitlines()
    sums = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if "_sum{" in line}
    labels = 'gen_ai_operation_name="chat",gen_ai_provider_name="altiplano",gen_ai_request_model='
    assert sums == {
        f'gen_ai_server_request_duration_seconds_sum{{error_type="NOT_FOUND",{labels}"_OTHER"}}': 0.01,
        f'gen_ai_server_request_duration_seconds_sum{{error_type="",{labels}"llama"}}': 2.0,
        f'gen_ai_server_time_to_first_token_seconds_sum{{{labels}"llama"}}': 0.4,
        f'gen_ai_server_time_per_output_token_seconds_sum{{{labels}"llama"}}': 0.4,
        f'gen_ai_client_token_usage_sum{{{labels}"llama",gen_ai_token_type="input"}}': 7.0,
        f'gen_ai_client_token_usage_sum{{{labels}"llama",gen_ai_token_type="output"}}': 5.0,
    }
