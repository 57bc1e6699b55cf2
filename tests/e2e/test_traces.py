"""Traces of a running mesh as its own record has them: whole spans, by session, and nothing that anybody said."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest
from openai import OpenAI

from tests.e2e.conftest import RunningMesh
from tests.e2e.openai_model import Message, registered

pytestmark = pytest.mark.timeout(1500)

SECRET = "the harbour master's dog"
EMBEDDINGS = "all-MiniLM-L6-v2"
SECONDS = 60.0
OURS = {"gen_ai.provider.name": "altiplano"}
# a call is a span of its caller's and one of its callee's
TURN = ("llamastack.agents.v1.AgenticSystemService/CreateTurn",) * 2
QUERY = ("llamastack.memory.v1.MemoryBanksService/QueryMemoryBank",) * 2
Spans = dict[str, list[dict[str, Any]]]


@pytest.fixture
def http(mesh: RunningMesh) -> Any:
    """Give a client of the gateway."""
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=120, trust_env=False) as client:
        yield client


def spans_of(http: httpx.Client, *wanted: str, **search: str) -> Spans:
    """Return the spans that a search finds by their names, oldest first, once all that are wanted are there."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = http.get("/traces/get_spans", params=search, headers={"traceparent": unsampled()})
        found: Spans = {}
        for span in map(json.loads, answer.text.splitlines()):
            found.setdefault(span["name"], []).append(span)
        there = Counter({name: len(spans) for name, spans in found.items()})
        if Counter(wanted) <= there or time.monotonic() > deadline:
            return found
        time.sleep(0.25)


def unsampled() -> str:
    """Return a trace of which no spans are kept."""
    return f"00-{uuid4().hex}-{uuid4().hex[:16]}-00"


def told(span: dict[str, Any]) -> dict[str, Any]:
    """Return what a span says by the conventions for generative AI, without what differs from run to run."""
    varying = {"gen_ai.response.time_to_first_chunk", "gen_ai.usage.cache_read.input_tokens"}
    ours = ("gen_ai.", "llamastack.", "error.")
    return {name: value for name, value in span["attributes"].items() if name.startswith(ours) and name not in varying}


def traced(http: httpx.Client, path: str, body: dict[str, Any]) -> tuple[httpx.Response, str]:
    """Post a body in a trace of its own that is sampled; return the answer and the trace's id."""
    trace = uuid4().hex
    headers = {"traceparent": f"00-{trace}-{uuid4().hex[:16]}-01"}
    response = http.post(path, json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response, trace


def model_span(http: httpx.Client, trace: str, name: str) -> dict[str, Any]:
    """Return the one span of that name in a trace."""
    [span] = spans_of(http, name, trace_id=trace)[name]
    return span


def test_a_chat_is_described_whole_and_streamed(mesh: RunningMesh, http: httpx.Client) -> None:
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": SECRET}],
        "sampling_params": {"strategy": "greedy", "max_tokens": 5, "seed": 7},
    }
    wanted = {
        "gen_ai.operation.name": "chat",
        **OURS,
        "gen_ai.request.model": "tiny",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.seed": 7,
        "gen_ai.response.finish_reasons": ["length"],
        "gen_ai.usage.output_tokens": 5,
    }
    _, trace = traced(http, "/inference/chat_completion", body)
    whole = told(model_span(http, trace, "chat tiny"))
    tokens = whole.pop("gen_ai.usage.input_tokens")
    assert (whole, tokens > 5) == (wanted, True)
    _, trace = traced(http, "/inference/chat_completion", body | {"stream": True})
    streamed = model_span(http, trace, "chat tiny")
    assert told(streamed) == wanted | {"gen_ai.usage.input_tokens": tokens, "gen_ai.request.stream": True}
    assert 0 < streamed["attributes"]["gen_ai.response.time_to_first_chunk"] < SECONDS


def test_openai_s_routes_and_embeddings_are_described(mesh: RunningMesh, http: httpx.Client) -> None:
    trace = uuid4().hex
    with OpenAI(base_url=f"http://{mesh.gateway}/v1", api_key="none") as client:
        answer = client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": SECRET}],
            max_completion_tokens=5,
            n=2,
            temperature=0.5,
            stop=["###"],
            extra_headers={"traceparent": f"00-{trace}-{uuid4().hex[:16]}-01"},
        )
    assert answer.usage is not None
    assert told(model_span(http, trace, "chat tiny")) == {
        "gen_ai.operation.name": "chat",
        **OURS,
        "gen_ai.request.model": "tiny",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stop_sequences": ["###"],
        "gen_ai.response.id": answer.id,
        "gen_ai.response.model": "tiny",
        "gen_ai.response.finish_reasons": [choice.finish_reason for choice in answer.choices],
        "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
    }
    _, trace = traced(http, "/inference/embeddings", {"model": EMBEDDINGS, "contents": ["one", "two"]})
    embedding = told(model_span(http, trace, f"embeddings {EMBEDDINGS}"))
    assert embedding.pop("gen_ai.usage.input_tokens") > 2
    assert embedding == {
        "gen_ai.operation.name": "embeddings",
        **OURS,
        "gen_ai.request.model": EMBEDDINGS,
        "gen_ai.embeddings.dimension.count": 384,
        "gen_ai.usage.output_tokens": 0,
    }


def searches(bank: str) -> Any:
    """Return a model that searches a bank before it answers."""

    def answer(messages: list[Message]) -> Message:
        if messages[-1]["role"] == "tool":
            return {"role": "assistant", "content": "It is there."}
        arguments = json.dumps({"bank_id": bank, "query": SECRET})
        call = {"id": "call-1", "type": "function", "function": {"name": "memory_search", "arguments": arguments}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    return answer


def test_a_turn_is_found_by_its_session_with_all_that_it_did(mesh: RunningMesh, http: httpx.Client) -> None:
    bank = f"traced-{uuid4().hex}"
    document = {"document_id": "log", "content": f"About {SECRET}.", "mime_type": "text/plain", "metadata": {}}
    made = http.post("/memory_banks/create", params={"bank_id": bank, "bank_name": bank}, json=[document])
    assert made.status_code == 200, made.text
    with registered(mesh, "searcher", searches(bank)):
        agent = {"model": "searcher", "instructions": "", "available_tools": [{"tool_name": "memory_search"}]}
        system = http.post("/agentic_system/create", json={"agent_config": agent}).json()["system_id"]
        body = {"system_id": system, "session_name": "s"}
        session = http.post("/agentic_system/session/create", json=body).json()["session_id"]
        question = [{"role": "user", "content": f"Where is {SECRET}?"}]
        turn = {"system_id": system, "session_id": session, "messages": question}
        answer, trace = traced(http, "/agentic_system/turn/create", turn)
        done = answer.json()["event"]["payload"]["turn"]
        assert done["output_message"]["content"] == "It is there."
        root = "POST /llamastack.agents.v1.AgenticSystemService/CreateTurn"
        steps = ("invoke_agent", "execute_tool memory_search", f"retrieval {bank}")
        found = spans_of(http, root, *steps, "chat searcher", "chat searcher", *TURN, *QUERY, session_id=session)
    spans = [span for named in found.values() for span in named]
    turn_id, call_id = done["turn_id"], done["steps"][0]["model_response"]["tool_calls"][0]["call_id"]
    assert {(span["trace_id"], span["turn_id"]) for span in spans} == {(trace, turn_id)}
    [agent_span] = found["invoke_agent"]
    [tool] = found["execute_tool memory_search"]
    [retrieval] = found[f"retrieval {bank}"]
    about = {"gen_ai.conversation.id": session, "llamastack.turn.id": turn_id}
    assert told(agent_span) == about | {
        "gen_ai.operation.name": "invoke_agent",
        **OURS,
        "gen_ai.agent.id": system,
        "gen_ai.response.finish_reasons": ["stop"],
    }
    assert told(tool) == about | {
        "gen_ai.operation.name": "execute_tool",
        **OURS,
        "gen_ai.tool.name": "memory_search",
        "gen_ai.tool.type": "extension",
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.description": "Search a memory bank for what its documents say.",
    }
    assert told(retrieval) == {
        "gen_ai.operation.name": "retrieval",
        **OURS,
        "gen_ai.data_source.id": bank,
        "gen_ai.retrieval.top_k": 10,
    }
    chat = {
        "gen_ai.operation.name": "chat",
        **OURS,
        "gen_ai.conversation.id": session,
        "gen_ai.request.model": "searcher",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 4,
    }
    assert [told(span) for span in found["chat searcher"]] == [
        chat | {"gen_ai.response.finish_reasons": [reason]} for reason in ("tool_call", "stop")
    ]
    parents = {span["span_id"]: span for span in spans}

    def above(span: dict[str, Any]) -> list[str]:
        parent = parents.get(span.get("parent_span_id", ""))
        return [parent["name"], *above(parent)] if parent else []

    assert above(retrieval) == [*QUERY, tool["name"], "invoke_agent", *TURN, root]
    assert SECRET not in json.dumps(spans)
    assert list(spans_of(http, session_id=session, query="EXECUTE_TOOL")) == [tool["name"]]


def test_models_are_measured_by_the_conventions(mesh: RunningMesh, http: httpx.Client) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    names = (
        "gen_ai_server_request_duration_seconds",
        "gen_ai_server_time_to_first_token_seconds",
        "gen_ai_client_token_usage",
    )
    counts = [f"{name}_count{{" for name in names]
    before = [mesh.metric(name) for name in counts]
    body["sampling_params"] = {"strategy": "greedy", "max_tokens": 4}
    assert http.post("/inference/chat_completion", json=body).status_code == 200
    wanted = [old + more for old, more in zip(before, (1, 1, 2), strict=True)]
    deadline = time.monotonic() + SECONDS
    # an answer may be here before its call is over there
    while (after := [mesh.metric(name) for name in counts]) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert after == wanted
