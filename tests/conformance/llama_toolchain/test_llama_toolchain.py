"""The chat client of llama-toolchain 0.0.8, as published, against the gateway and the inference service."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.config import JsonConfig
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
from llamastack.common.v1.value_pb2 import JsonArray, JsonValue
from llamastack.inference.v1 import inference_pb2 as pb
from tests.conformance.bodies import ENGINE_DIED, UNKNOWN_MODEL, error_body
from tests.conformance.installing import ROOT, python_with
from tests.conformance.serving import CALL, Heard, gateway, inference, output_of

# the first run installs the client
pytestmark = pytest.mark.timeout(600)

# what the servers of its time did: every answer as an event, URLs as objects
OF_ITS_TIME = JsonConfig(sse_always=True, wrap_urls=True)
GREEDY = SamplingParams(
    strategy=SamplingStrategy.SAMPLING_STRATEGY_GREEDY,
    temperature=0.0,
    top_p=0.95,
    top_k=0,
    max_tokens=0,
    repetition_penalty=1.0,
)
SAMPLED = SamplingParams(
    strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_P,
    temperature=0.5,
    top_p=0.9,
    top_k=0,
    max_tokens=64,
    repetition_penalty=1.0,
)
SEARCH = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH)
FORECAST = ToolName(custom="get_forecast")
QUESTION = Message(user=UserMessage(content=Content(text="hello")))


@dataclass(frozen=True)
class Session:
    """What the client's calls gave and printed, by their names, and the requests that they became."""

    answers: dict[str, Any]
    requests: list[Any]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    python = python_with(ROOT / "requirements" / "client-llama-toolchain.lock")
    heard = Heard()

    async def drive() -> bytes:
        folder = tmp_path_factory.mktemp("inference")
        async with inference(folder, heard) as address, gateway(address, OF_ITS_TIME) as url:
            return await output_of([python, Path(__file__).with_name("client.py"), url])

    return Session(json.loads(asyncio.run(drive())), heard.requests)


def whole(content: str = "", reason: str = "end_of_turn", **members: Any) -> dict[str, Any]:
    calls = members.pop("tool_calls", [])
    message = {"role": "assistant", "content": content, "stop_reason": reason, "tool_calls": calls}
    return {"given": [{"completion_message": message, "logprobs": None, **members}], "said": ""}


def event(kind: str, delta: Any = "", stop_reason: str | None = None) -> dict[str, Any]:
    return {"event": {"event_type": kind, "delta": delta, "logprobs": None, "stop_reason": stop_reason}}


def call_events(texts: list[str], call: dict[str, Any], reason: str) -> list[dict[str, Any]]:
    return [
        event("start"),
        event("progress", {"content": "", "parse_status": "started"}),
        *(event("progress", {"content": text, "parse_status": "in_progress"}) for text in texts),
        event("progress", {"content": call, "parse_status": "success"}, reason),
        event("complete", "", reason),
    ]


def forecast_call(call_id: str) -> dict[str, Any]:
    arguments = {"city": "La Paz", "days": 3, "metric": True}
    return {"call_id": call_id, "tool_name": "get_forecast", "arguments": arguments}


def search_call(call_id: str) -> dict[str, Any]:
    return {"call_id": call_id, "tool_name": "brave_search", "arguments": {"query": "altiplano"}}


def test_an_answer_is_read_whole_and_as_a_stream(session: Session) -> None:
    assert session.answers["whole"] == whole("Hello there")
    stream = [event("start"), event("progress", "Hello"), event("progress", " there")]
    assert session.answers["stream"] == {"given": [*stream, event("complete", "", "end_of_turn")], "said": ""}
    assert session.answers["out of tokens"] == whole("One two", "out_of_tokens")


def test_its_event_logger_prints_a_stream(session: Session) -> None:
    assert session.answers["event logger"] == {"given": [], "said": "Assistant> Hello there\n"}


def test_log_probabilities_are_read(session: Session) -> None:
    candidates = [
        {"Hello": -0.5, "Hello1": -1.5},
        {" there": -1.0, " there1": -2.0},
        {"<|eot_id|>": -1.5, "<|eot_id|>1": -2.5},
    ]
    logprobs = [{"logprobs_by_token": position} for position in candidates]
    assert session.answers["logprobs"] == whole("Hello there", logprobs=logprobs)


def test_a_call_of_a_custom_tool_is_read_whole_and_as_a_stream(session: Session) -> None:
    assert session.answers["custom tool"] == whole(tool_calls=[forecast_call("call_1")])
    events = call_events([CALL[:30], CALL[30:]], forecast_call("call_2"), "end_of_turn")
    assert session.answers["custom tool, stream"] == {"given": events, "said": ""}


def test_a_call_of_a_builtin_tool_is_read_whole_and_as_a_stream(session: Session) -> None:
    assert session.answers["builtin tool"] == whole("", "end_of_message", tool_calls=[search_call("call_3")])
    texts = ["brave_search.call(", 'query="altiplano")']
    events = call_events(texts, search_call("call_4"), "end_of_message")
    assert session.answers["builtin tool, stream"] == {"given": events, "said": ""}


def test_errors_are_printed_with_their_status_and_a_broken_stream_tells_why(session: Session) -> None:
    refused = {name: session.answers[name] for name in ("unknown model", "attachment")}
    assert [answer["given"] for answer in refused.values()] == [[], []]
    assert printed(refused["unknown model"]["said"], 404) == UNKNOWN_MODEL
    description = "must hold texts and images only, not a file of type text/plain"
    assert printed(refused["attachment"]["said"], 400) == error_body(
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        f"messages[1].content: {description}",
        BadRequest={"field_violations": [{"field": "messages[1].content", "description": description}]},
    )
    broken = session.answers["engine dies"]
    assert broken["given"] == [event("start"), event("progress", "Hello")]
    assert json.loads(broken["said"]) == ENGINE_DIED


def printed(text: str, status: int) -> Any:
    start, _, body = text.partition(f"Error: HTTP {status} ")
    assert start == ""
    return json.loads(body)


def test_a_plain_request_arrives_with_its_explicit_settings_and_without_what_is_null(session: Session) -> None:
    assert session.requests[0] == pb.ChatCompletionRequest(model="llama", messages=[QUESTION], sampling_params=GREEDY)


def test_tool_definitions_arrive(session: Session) -> None:
    custom, builtin = session.requests[3], session.requests[5]
    forecast = ToolDefinition(
        tool_name=FORECAST,
        description="Tells the weather.",
        parameters={
            "city": ToolParamDefinition(param_type="string", description="The city.", required=True),
            "days": ToolParamDefinition(param_type="int", required=False),
        },
    )
    assert list(custom.available_tools) == [forecast]
    assert list(builtin.available_tools) == [ToolDefinition(tool_name=SEARCH)]


def test_messages_of_every_role_and_sampling_parameters_arrive(session: Session) -> None:
    search = ToolCall(
        call_id="one",
        tool_name=SEARCH,
        arguments={"query": JsonValue(string_value="snow"), "pages": JsonValue(integer_value=2)},
    )
    numbers = JsonArray(values=[JsonValue(integer_value=1), JsonValue(number_value=2.5)])
    forecast = ToolCall(
        call_id="two",
        tool_name=FORECAST,
        arguments={
            "city": JsonValue(string_value="La Paz"),
            "at": JsonValue(null_value=0),  # type: ignore[arg-type]  # the enum's only value
            "in": JsonValue(array_value=numbers),
        },
    )
    asked = CompletionMessage(
        content=Content(text=""), stop_reason=StopReason.STOP_REASON_END_OF_MESSAGE, tool_calls=[search, forecast]
    )
    results = [
        ToolResponseMessage(call_id="one", tool_name=SEARCH, content=Content(text="none")),
        ToolResponseMessage(call_id="two", tool_name=FORECAST, content=Content(text="sun")),
    ]
    assert session.requests[8] == pb.ChatCompletionRequest(
        model="llama",
        messages=[
            Message(system=SystemMessage(content=Content(text="Be brief."))),
            Message(completion=asked),
            *(Message(tool_response=result) for result in results),
            Message(user=UserMessage(content=Content(text="so?"))),
        ],
        sampling_params=SAMPLED,
    )


def test_an_attachment_arrives_with_its_url_out_of_the_object(session: Session) -> None:
    attachment = Attachment(url=Url(uri="data:text/plain,hi"), mime_type="text/plain")
    parts = ContentParts(parts=[ContentPart(text="look at "), ContentPart(attachment=attachment)])
    assert session.requests[9].messages[1] == Message(user=UserMessage(content=Content(parts=parts)))
