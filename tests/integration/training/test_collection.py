"""Datasets out of agent sessions and of logged model calls."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason, UserMessage
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName, ToolResponse
from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from llamastack.observability.v1 import trace_pb2
from llamastack.safety.v1.shield_pb2 import ShieldResponse
from mesh.json_text import value_of
from tests.integration.training.peers import said
from tests.integration.training.serving import DIALOG, TEXT, Served, loose, told

SEARCH = ToolName(builtin=BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "stop_reason": "end_of_turn", "tool_calls": []}


SYSTEM = {"role": "system", "content": "Be kind."}


def turn(session: str, number: int, *steps: turn_pb2.Step, text: str | None = None) -> turn_pb2.Turn:
    """Return a turn that ended at second ``number``."""
    message = UserMessage(content=Content(text=text or f"ask {number}"))
    return turn_pb2.Turn(
        turn_id=f"t{number}",
        session_id=session,
        input_messages=[turn_pb2.TurnInputMessage(user=message)],
        steps=steps or [answered(f"answer {number}")],
        completed_at=Timestamp(seconds=number),
        status=turn_pb2.TURN_STATUS_COMPLETED,
    )


def answered(text: str) -> turn_pb2.Step:
    return turn_pb2.Step(inference=turn_pb2.InferenceStep(model_response=said(text)))


def searched() -> list[turn_pb2.Step]:
    call = ToolCall(call_id="c", tool_name=SEARCH, arguments={"query": value_of("snow"), "pages": value_of(2)})
    asks = CompletionMessage(
        content=Content(text=""), stop_reason=StopReason.STOP_REASON_END_OF_MESSAGE, tool_calls=[call]
    )
    result = ToolResponse(call_id="c", tool_name=SEARCH, content=Content(text="white"))
    return [
        turn_pb2.Step(inference=turn_pb2.InferenceStep(model_response=asks)),
        turn_pb2.Step(tool_execution=turn_pb2.ToolExecutionStep(tool_calls=[call], tool_responses=[result])),
        answered("It is white."),
    ]


def violated() -> turn_pb2.Step:
    response = ShieldResponse(is_violation=True, violation_return_message="I can't.")
    return turn_pb2.Step(shield_call=turn_pb2.ShieldCallStep(response=response))


def filled(served: Served) -> None:
    """Give the agents two systems with a session each: turns 1, 2 (a violation) and 4, and turn 3."""
    agents = served.peers.agents
    config = config_pb2.AgenticSystemInstanceConfig(instructions="Be kind.")
    agents.systems["a"] = config_pb2.AgenticSystem(system_id="a", instance_config=config)
    agents.systems["b"] = config_pb2.AgenticSystem(system_id="b")
    agents.sessions = {
        "a": [session_pb2.Session(session_id="s1"), session_pb2.Session(session_id="empty")],
        "b": [session_pb2.Session(session_id="s2")],
    }
    running = turn("s1", 9)
    running.status = turn_pb2.TURN_STATUS_RUNNING
    agents.turns = {
        "s1": [turn("s1", 1, *searched()), turn("s1", 2, violated()), turn("s1", 4), running],
        "s2": [turn("s2", 3)],
    }


FIRST = [
    user("ask 1"),
    {
        "role": "assistant",
        "content": "",
        "stop_reason": "end_of_message",
        "tool_calls": [{"call_id": "c", "tool_name": "brave_search", "arguments": {"query": "snow", "pages": 2}}],
    },
    {"role": "ipython", "call_id": "c", "tool_name": "brave_search", "content": "white"},
    assistant("It is white."),
]


async def collected(served: Served, **source: Any) -> list[Any]:
    """Collect from sessions and return the rows."""
    request = pb.CollectDatasetRequest(
        uuid="used", sessions=pb.SessionSource(**source), metadata={"who": value_of("me")}
    )
    made = (await served.datasets.CollectDataset(request)).revision
    assert made.columns == {"dialog": DIALOG, "session_id": TEXT, "turn_id": TEXT}
    assert (made.origin, made.metadata["who"]) == (dataset_pb2.DATASET_ORIGIN_SESSIONS, value_of("me"))
    return await served.rows("used")


async def test_sessions_become_rows_newest_first_without_violations(served: Served) -> None:
    filled(served)
    whole = [SYSTEM, *FIRST, user("ask 4"), assistant("answer 4")]
    assert await collected(served) == [
        loose({"dialog": whole, "session_id": "s1", "turn_id": "t4"}),
        loose({"dialog": [user("ask 3"), assistant("answer 3")], "session_id": "s2", "turn_id": "t3"}),
    ]


async def test_a_row_per_turn_has_the_conversation_up_to_it(served: Served) -> None:
    filled(served)
    rows = await collected(served, system_ids=["a"], session_ids=["s1"], row_per_turn=True)
    assert rows == [
        loose(
            {
                "dialog": [SYSTEM, *FIRST, user("ask 4"), assistant("answer 4")],
                "session_id": "s1",
                "turn_id": "t4",
            }
        ),
        loose({"dialog": [SYSTEM, *FIRST], "session_id": "s1", "turn_id": "t1"}),
    ]


async def test_times_violations_and_the_number_of_rows_are_conditions(served: Served) -> None:
    filled(served)
    between = {"completed_after": Timestamp(seconds=2), "completed_before": Timestamp(seconds=4)}
    rows = await collected(served, **between, exclude_violations=False)
    assert rows == [
        loose({"dialog": [user("ask 3"), assistant("answer 3")], "session_id": "s2", "turn_id": "t3"}),
        loose({"dialog": [SYSTEM, user("ask 2"), assistant("I can't.")], "session_id": "s1", "turn_id": "t2"}),
    ]
    request = pb.CollectDatasetRequest(
        uuid="few", sessions=pb.SessionSource(row_per_turn=True, exclude_violations=False), max_rows=2
    )
    await served.datasets.CollectDataset(request)
    assert [row["turn_id"].string_value for row in await served.rows("few")] == ["t4", "t3"]


async def test_collecting_again_adds_a_revision_and_nothing_is_told(served: Served) -> None:
    filled(served)
    await collected(served)
    served.peers.agents.turns["s2"].append(turn("s2", 5))
    request = pb.CollectDatasetRequest(uuid="used", sessions=pb.SessionSource())
    assert (await served.datasets.CollectDataset(request)).revision.revision == "2"
    request.sessions.session_ids.append("nobody")
    nothing = ("INVALID_ARGUMENT", "sessions: nothing was found that fits the conditions")
    assert await told(served.datasets.CollectDataset(request)) == nothing
    request.sessions.system_ids.append("nobody")
    unknown = ("NOT_FOUND", "agentic system 'nobody' does not exist")
    assert await told(served.datasets.CollectDataset(request)) == unknown
    assert list((served.data / "staging").iterdir()) == []


def span(number: int, *, run: str = "r", model: str = "llama", **attributes: Any) -> trace_pb2.Span:
    values = {"gen_ai.request.model": model, **{name.replace("__", "."): value for name, value in attributes.items()}}
    return trace_pb2.Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        name=f"chat {model}",
        started_at=Timestamp(seconds=number),
        ended_at=Timestamp(seconds=number + 1),
        run_id=run,
        attributes={name: value_of(value) for name, value in values.items()},
    )


def call(heard: str, answer: str) -> dict[str, Any]:
    parts = [{"role": "user", "parts": [{"type": "text", "content": heard}]}]
    says = [{"role": "assistant", "parts": [{"type": "text", "content": answer}], "finish_reason": "stop"}]
    return {"gen_ai__input__messages": parts, "gen_ai__output__messages": json.dumps(says)}


async def test_logged_calls_become_rows(served: Served) -> None:
    tools = [
        {"role": "user", "parts": [{"type": "text", "content": "look"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"x": 1}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": {"y": 2}}]},
    ]
    failed = span(5, **call("bad", "bad"))
    failed.status = trace_pb2.SPAN_STATUS_ERROR
    instructions = [{"type": "text", "content": "Be kind."}]
    served.peers.observability.spans = [
        span(1, **call("one", "first"), gen_ai__system_instructions=instructions),
        span(2, **(call("", "done") | {"gen_ai__input__messages": tools})),
        span(3, model="other", **call("three", "third")),
        span(4, gen_ai__input__messages="no list", gen_ai__output__messages=[{"role": "assistant", "parts": 3}]),
        failed,
        span(6),
    ]
    request = pb.CollectDatasetRequest(
        uuid="calls",
        traces=pb.TraceSource(
            run_ids=["r"], models=["llama"], attributes={"user": value_of("ann")}, started_after=Timestamp(seconds=1)
        ),
    )
    made = (await served.datasets.CollectDataset(request)).revision
    assert (made.origin, made.columns) == (dataset_pb2.DATASET_ORIGIN_TRACES, {"dialog": DIALOG, "trace_id": TEXT})
    looked = [
        user("look"),
        {
            "role": "assistant",
            "content": "",
            "stop_reason": "end_of_turn",
            "tool_calls": [{"call_id": "c", "tool_name": "f", "arguments": {"x": 1}}],
        },
        {"role": "ipython", "call_id": "c", "content": '{"y": 2}'},
        assistant("done"),
    ]
    assert await served.rows("calls") == [
        loose({"dialog": looked, "trace_id": f"{2:032x}"}),
        loose({"dialog": [SYSTEM, user("one"), assistant("first")], "trace_id": f"{1:032x}"}),
    ]
    asked = served.peers.observability.requests[0]
    assert (asked.run_id, asked.after.seconds, dict(asked.filters)) == ("r", 1, {"user": value_of("ann")})


async def test_an_observability_service_that_is_away_is_told(served: Served) -> None:
    request = pb.CollectDatasetRequest(uuid="calls", traces=pb.TraceSource())
    assert await told(served.datasets.CollectDataset(request)) == ("UNAVAILABLE", "no spans are kept")
