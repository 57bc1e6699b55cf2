"""The inference resources of llama-stack 0.0.1a5, as published, against the gateway and the inference service."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llamastack.common.v1.content_pb2 import Content, ContentPart, ContentParts
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.common.v1.tool_pb2 import (
    BuiltinTool,
    ToolCall,
    ToolDefinition,
    ToolName,
    ToolParamDefinition,
    ToolPromptFormat,
)
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.inference.v1 import inference_pb2 as pb
from tests.conformance.bodies import ENGINE_DIED, UNKNOWN_MODEL, error_body
from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import CALL, Heard, gateway, inference, output_of

# the first run installs the client
pytestmark = pytest.mark.timeout(600)

SEARCH = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH)
QUESTION = Message(user=UserMessage(content=Content(text="hello")))
TOOLS = [
    ToolDefinition(
        tool_name=ToolName(custom="get_forecast"),
        description="Tells the weather.",
        parameters={
            "city": ToolParamDefinition(param_type="string", description="The city.", required=True),
            "days": ToolParamDefinition(param_type="int", required=False),
        },
    ),
    ToolDefinition(tool_name=SEARCH),
]
SAMPLING = SamplingParams(
    strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_K,
    top_k=4,
    temperature=0.5,
    max_tokens=64,
    repetition_penalty=1.1,
)


@dataclass(frozen=True)
class Session:
    """What the client's calls gave or raised, by their names, and the chat requests that they became."""

    answers: dict[str, Any]
    requests: list[Any]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    python = python_with(ROOT / "requirements" / "client-llama-stack.lock")
    heard = Heard()

    async def drive() -> bytes:
        folder = tmp_path_factory.mktemp("inference")
        async with inference(folder, heard) as address, gateway(address) as url:
            return await output_of([python, Path(__file__).with_name("client.py"), url])

    return Session(json.loads(asyncio.run(drive())), heard.requests)


def usage(completion: int = 3, *, requests: int = 1) -> dict[str, int]:
    return {"prompt_tokens": 7 * requests, "completion_tokens": completion * requests, "cached_tokens": 2 * requests}


def message(content: str = "Hello there", reason: str = "end_of_turn", *calls: dict[str, Any]) -> dict[str, Any]:
    return {"content": content, "role": "assistant", "stop_reason": reason, "tool_calls": list(calls)}


def forecast_call(call_id: str) -> dict[str, Any]:
    arguments = {"city": "La Paz", "days": 3, "metric": True}
    return {"call_id": call_id, "tool_name": "get_forecast", "arguments": arguments}


def event(kind: str, delta: Any = "", **members: Any) -> dict[str, Any]:
    return {"ChatCompletionStreamChunk": {"event": {"event_type": kind, "delta": delta, **members}}}


def logprobs(*positions: dict[str, float]) -> list[dict[str, Any]]:
    return [{"logprobs_by_token": position} for position in positions]


def raised(name: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"raised": name, "status": status, "body": body}


def test_an_answer_is_one_object_unless_a_stream_is_asked_for(session: Session) -> None:
    answer = {"ChatCompletionResponse": {"completion_message": message(), "usage": usage()}}
    assert [session.answers["chat"], session.answers["chat, stream false"]] == [answer, answer]


def test_a_stream_is_read_event_by_event(session: Session) -> None:
    assert session.answers["chat, stream"] == [
        event("start"),
        event("progress", "Hello"),
        event("progress", " there"),
        event("complete", stop_reason="end_of_turn", usage=usage()),
    ]


def test_a_call_of_a_tool_is_read_whole_with_log_probabilities(session: Session) -> None:
    first, second, end = CALL[:30], CALL[30:], "<|eot_id|>"
    candidates = logprobs(
        {first: -0.5, f"{first}1": -1.5}, {second: -1.0, f"{second}1": -2.0}, {end: -1.5, f"{end}1": -2.5}
    )
    called = message("", "end_of_turn", forecast_call("call_1"))
    answer = {"completion_message": called, "logprobs": candidates, "usage": usage()}
    assert session.answers["chat, every setting"] == {"ChatCompletionResponse": answer}


def test_a_call_of_a_tool_is_read_as_a_stream(session: Session) -> None:
    assert session.answers["chat, tool, stream"] == [
        event("start"),
        event("progress", {"content": "", "parse_status": "started"}),
        event("progress", {"content": CALL[:30], "parse_status": "in_progress"}),
        event("progress", {"content": CALL[30:], "parse_status": "in_progress"}),
        event("progress", {"content": forecast_call("call_2"), "parse_status": "success"}, stop_reason="end_of_turn"),
        event("complete", stop_reason="end_of_turn", usage=usage()),
    ]


def test_completions_are_read(session: Session) -> None:
    chosen = logprobs({"Hello": -0.5}, {" there": -1.0}, {"<|eot_id|>": -1.5})
    plain = {"completion_message": message(), "logprobs": chosen, "usage": usage()}
    parts = {"completion_message": message("One two", "out_of_tokens"), "usage": usage(2)}
    assert session.answers["completion"] == {"CompletionResponse": plain}
    assert session.answers["completion, parts"] == {"CompletionResponse": parts}


def test_a_completion_stream_comes_as_the_text_of_its_events(session: Session) -> None:
    lines = session.answers["completion, stream"].split("\n\n")
    assert lines[-1] == ""
    assert [json.loads(line.removeprefix("data: ")) for line in lines[:-1]] == [
        {"delta": "Hello"},
        {"delta": " there"},
        {"delta": "", "stop_reason": "end_of_turn", "usage": usage()},
    ]


def test_batches_are_read(session: Session) -> None:
    chat = {"completion_message_batch": [message()] * 2, "usage": usage(requests=2)}
    completion = {
        "completion_message_batch": [message("One two", "out_of_tokens")] * 2,
        "usage": usage(2, requests=2),
    }
    assert session.answers["batch chat"] == {"BatchChatCompletion": chat}
    assert session.answers["batch completion"] == {"BatchCompletion": completion}


def test_embeddings_are_read(session: Session) -> None:
    counted = {"prompt_tokens": 2, "completion_tokens": 0, "cached_tokens": 0}
    vectors = {"embeddings": [[1.0, 0.0, 0.0], [1.0, 0.0, 0.25]], "usage": counted}
    assert session.answers["embeddings"] == {"Embeddings": vectors}


def test_errors_are_raised_as_the_class_of_their_status(session: Session) -> None:
    wrong_kind = error_body(
        "FAILED_PRECONDITION", "WRONG_STATE", "model llama is of kind llm; this call needs embedding"
    )
    busy = error_body("RESOURCE_EXHAUSTED", "OVERLOADED", "the queue is full", RetryInfo={"retry_delay": "7s"})
    assert session.answers["unknown model"] == raised("NotFoundError", 404, UNKNOWN_MODEL)
    assert session.answers["wrong kind"] == raised("BadRequestError", 400, wrong_kind)
    assert session.answers["busy"] == raised("RateLimitError", 429, busy)


def test_bad_values_and_unknown_members_are_named(session: Session) -> None:
    bounds = "must be greater than or equal to 0 and less than or equal to 100"
    assert session.answers["bad value"] == raised(
        "BadRequestError", 400, invalid("sampling_params.temperature", bounds)
    )
    members = ", ".join(field.name for field in pb.ChatCompletionRequest.DESCRIPTOR.fields)
    known = f"expected one of the members {members}, found an unknown member"
    assert session.answers["unknown member"] == raised("BadRequestError", 400, invalid("temprature", known))


def invalid(path: str, description: str) -> dict[str, Any]:
    violation = {"field": path, "description": description}
    return error_body(
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        f"{path}: {description}",
        BadRequest={"field_violations": [violation]},
    )


def test_a_broken_stream_ends_with_its_error(session: Session) -> None:
    assert session.answers["engine dies"] == [
        event("start"),
        event("progress", "Hello"),
        {"ChatCompletionResponse": ENGINE_DIED},
    ]


def test_the_settings_arrive_as_the_contract_has_them(session: Session) -> None:
    call = ToolCall(
        call_id="one",
        tool_name=SEARCH,
        arguments={"query": JsonValue(string_value="snow"), "pages": JsonValue(integer_value=2)},
    )
    asked = CompletionMessage(
        content=Content(text=""), stop_reason=StopReason.STOP_REASON_END_OF_MESSAGE, tool_calls=[call]
    )
    brief = ContentParts(parts=[ContentPart(text="Be "), ContentPart(text="brief.")])
    assert session.requests[3] == pb.ChatCompletionRequest(
        model="caller",
        messages=[
            Message(system=SystemMessage(content=Content(parts=brief))),
            QUESTION,
            Message(completion=asked),
            Message(tool_response=ToolResponseMessage(call_id="one", tool_name=SEARCH, content=Content(text="none"))),
        ],
        sampling_params=SAMPLING,
        available_tools=TOOLS,
        tool_prompt_format=ToolPromptFormat.TOOL_PROMPT_FORMAT_FUNCTION_TAG,
        logprobs=pb.LogprobConfig(top_k=2),
        tool_choice=pb.TOOL_CHOICE_AUTO,
    )
    assert session.requests[0] == pb.ChatCompletionRequest(model="llama", messages=[QUESTION])
