"""What a user of the running mesh sees of inference: vLLM behind gRPC, REST and the OpenAI SDK."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import openai
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import Message, StopReason, UserMessage
from llamastack.common.v1.sampling_pb2 import (
    Fp8QuantizationConfig,
    QuantizationConfig,
    SamplingParams,
    SamplingStrategy,
)
from llamastack.common.v1.tool_pb2 import ToolDefinition, ToolName, ToolParamDefinition
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from tests.e2e.conftest import RunningMesh, descendants
from tests.tiny_model import CONTEXT, ENDS, make_adapter

pytestmark = pytest.mark.timeout(1500)

MODEL = "tiny"
SAMPLED = SamplingParams(strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_P, temperature=1.0, seed=7, max_tokens=12)


def completion(text: str = "hello", model: str = MODEL, **fields: object) -> pb.CompletionRequest:
    return pb.CompletionRequest(model=model, content=Content(text=text), **fields)  # type: ignore[arg-type]


def chat(text: str = "hello", **fields: object) -> pb.ChatCompletionRequest:
    message = Message(user=UserMessage(content=Content(text=text)))
    return pb.ChatCompletionRequest(model=MODEL, messages=[message], **fields)  # type: ignore[arg-type]


def eventually(holds: object, seconds: float) -> float:
    """Return after how many seconds the condition held."""
    began = time.monotonic()
    while not holds():  # type: ignore[operator]
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_stream_says_what_the_unary_call_says(mesh: RunningMesh) -> None:
    with mesh.channel() as channel:
        stub = InferenceServiceStub(channel)
        whole = stub.ChatCompletion(chat(sampling_params=SamplingParams(max_tokens=20)))
        events = [c.event for c in stub.StreamChatCompletion(chat(sampling_params=SamplingParams(max_tokens=20)))]
    assert "".join(event.delta.text for event in events) == whole.completion_message.content.text
    assert [events[0].event_type, events[-1].event_type] == [
        pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START,
        pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE,
    ]
    assert events[-1].stop_reason == whole.completion_message.stop_reason
    assert events[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_logprobs_come_one_per_token(mesh: RunningMesh) -> None:
    request = completion(
        sampling_params=SamplingParams(max_tokens=5), logprobs=pb.LogprobConfig(top_k=3), prompt_logprobs=0
    )
    with mesh.channel() as channel:
        response = InferenceServiceStub(channel).Completion(request)
    assert len(response.logprobs) == response.usage.completion_tokens
    assert all(1 <= len(entry.logprobs_by_token) <= 4 for entry in response.logprobs)
    assert len(response.prompt_logprobs) == response.usage.prompt_tokens
    assert response.prompt_logprobs[0] == pb.TokenLogProbs()


def test_long_prompts_with_a_seed_are_answered_side_by_side(mesh: RunningMesh) -> None:
    """Parts of seeded prompts are what the engine must not make on a CPU."""
    with mesh.channel() as channel, ThreadPoolExecutor(8) as pool:
        stub = InferenceServiceStub(channel)
        request = completion("word " * (CONTEXT // 8), sampling_params=SAMPLED)
        answers = [call.result() for call in [pool.submit(stub.Completion, request, timeout=300) for _ in range(8)]]
    assert {answer.completion_message.stop_reason for answer in answers} <= {
        StopReason.STOP_REASON_OUT_OF_TOKENS,
        StopReason.STOP_REASON_END_OF_TURN,
    }


def test_a_seed_repeats_a_sampled_answer_and_another_seed_does_not(mesh: RunningMesh) -> None:
    other = SamplingParams()
    other.CopyFrom(SAMPLED)
    other.seed = 8
    with mesh.channel() as channel:
        stub = InferenceServiceStub(channel)
        texts = [
            stub.Completion(completion(sampling_params=params)).completion_message.content.text
            for params in (SAMPLED, SAMPLED, other)
        ]
    assert texts[0] == texts[1] != texts[2]


def test_guidance_restricts_the_output(mesh: RunningMesh) -> None:
    request = completion(guidance=pb.Guidance(regex="[a-c]{3}x"), sampling_params=SamplingParams(max_tokens=20))
    with mesh.channel() as channel:
        message = InferenceServiceStub(channel).Completion(request).completion_message
    assert re.fullmatch("[a-c]{3}x", message.content.text)
    assert message.stop_reason != StopReason.STOP_REASON_OUT_OF_TOKENS


def test_a_grammar_restricts_the_output_too(mesh: RunningMesh) -> None:
    request = completion(
        guidance=pb.Guidance(grammar='root ::= "yes" | "no"'), sampling_params=SamplingParams(max_tokens=20)
    )
    with mesh.channel() as channel:
        assert InferenceServiceStub(channel).Completion(request).completion_message.content.text in {"yes", "no"}


def test_a_repetition_penalty_changes_a_greedy_answer(mesh: RunningMesh) -> None:
    with mesh.channel() as channel:
        stub = InferenceServiceStub(channel)
        texts = [
            stub.Completion(
                completion(sampling_params=SamplingParams(max_tokens=64, repetition_penalty=penalty))
            ).completion_message.content.text
            for penalty in (1.0, 1.0, 1.9)
        ]
    assert texts[0] == texts[1] != texts[2]


def test_a_prompt_that_was_read_before_comes_out_of_the_cache(mesh: RunningMesh) -> None:
    request = completion("cached " * 40, sampling_params=SamplingParams(max_tokens=1))
    with mesh.channel() as channel:
        stub = InferenceServiceStub(channel)
        first, second = (stub.Completion(request).usage for _ in range(2))
    assert first.cached_tokens == 0
    assert second.prompt_tokens == first.prompt_tokens == 280
    assert second.prompt_tokens - 200 < second.cached_tokens < second.prompt_tokens


def test_an_urgent_request_overtakes_those_that_wait(mesh: RunningMesh) -> None:
    """The engine runs 64 sequences; the next ones wait until one after the other of them ends."""

    def ended(length: int, priority: int) -> float:
        request = completion(sampling_params=SamplingParams(max_tokens=length), priority=priority)
        InferenceServiceStub(channel).Completion(request, timeout=300)
        return time.monotonic()

    with mesh.channel() as channel, ThreadPoolExecutor(70) as pool:
        running = [pool.submit(ended, 400 + 20 * index, 0) for index in range(64)]
        eventually(lambda: mesh.metric("inference_engine_requests") == 64, 60.0)
        patient = [pool.submit(ended, 4, 50) for _ in range(3)]
        eventually(lambda: mesh.metric("inference_engine_requests") == 67, 60.0)
        urgent = [pool.submit(ended, 4, -50) for _ in range(3)]
        ends = [[call.result() for call in calls] for calls in (urgent, patient, running)]
    assert max(ends[0]) < min(ends[1])


def test_token_ids_are_the_prompt_when_given(mesh: RunningMesh) -> None:
    request = completion(
        "", prompt_token_ids=pb.TokenIds(ids=[256, 72, 73]), sampling_params=SamplingParams(max_tokens=2)
    )
    with mesh.channel() as channel:
        usage = InferenceServiceStub(channel).Completion(request).usage
    assert usage.prompt_tokens == 3
    assert usage.completion_tokens in {1, 2}


def test_a_prompt_longer_than_the_context_is_out_of_range(mesh: RunningMesh) -> None:
    with mesh.channel() as channel, pytest.raises(grpc.RpcError) as raised:
        InferenceServiceStub(channel).ChatCompletion(chat("x" * CONTEXT))
    assert raised.value.code() is grpc.StatusCode.OUT_OF_RANGE


def test_a_failed_item_does_not_fail_its_batch(mesh: RunningMesh) -> None:
    request = pb.BatchCompletionRequest(
        model=MODEL,
        content_batch=[Content(text="a"), Content(text="x" * (CONTEXT + 1)), Content(text="b")],
        sampling_params=SamplingParams(max_tokens=4),
    )
    with mesh.channel() as channel:
        response = InferenceServiceStub(channel).BatchCompletion(request)
    assert [error.index for error in response.errors] == [1]
    assert [bool(message.stop_reason) for message in response.completion_message_batch] == [True, False, True]


def test_embeddings_are_unit_vectors_that_know_likeness(mesh: RunningMesh) -> None:
    request = pb.EmbeddingsRequest(model="all-MiniLM-L6-v2", contents=["a cat", "a kitten", "a tax form"])
    with mesh.channel() as channel:
        vectors = [list(item.values) for item in InferenceServiceStub(channel).Embeddings(request).embeddings]
    products = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in vectors] for a in vectors]
    assert [len(vector) for vector in vectors] == [384] * 3
    assert products[0][0] == pytest.approx(1.0, abs=1e-5)
    assert products[0][1] > products[0][2]


def test_an_adapter_is_loaded_and_unloaded_while_serving(mesh: RunningMesh, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter")
    params = SamplingParams(max_tokens=16)
    with mesh.channel() as channel:
        stub, models = InferenceServiceStub(channel), ModelsServiceStub(channel)
        base = stub.Completion(completion(sampling_params=params)).completion_message.content.text
        load = models_pb2.LoadAdapterRequest(model_id=MODEL, adapter_id="tuned", source=str(folder))
        adapter = models.LoadAdapter(load)
        tuned = stub.Completion(completion(model="tuned", sampling_params=params)).completion_message.content.text
        again = stub.Completion(completion(sampling_params=params)).completion_message.content.text
        models.UnloadAdapter(models_pb2.UnloadAdapterRequest(adapter_id="tuned"))
        with pytest.raises(grpc.RpcError) as raised:
            stub.Completion(completion(model="tuned"))
    assert (adapter.adapter_id, adapter.model_id, adapter.rank) == ("tuned", MODEL, 8)
    assert tuned != base == again
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_adapters_serve_side_by_side(mesh: RunningMesh, tmp_path: Path) -> None:
    params = SamplingParams(max_tokens=16)
    # as many as there is room for by default
    names = ("first", "second", "third", "fourth")
    with mesh.channel() as channel, ThreadPoolExecutor(15) as pool:
        stub, models = InferenceServiceStub(channel), ModelsServiceStub(channel)

        def answer(name: str) -> str:
            return stub.Completion(completion(model=name, sampling_params=params)).completion_message.content.text

        for seed, name in enumerate(names):
            source = str(make_adapter(tmp_path / name, seed=seed + 10))
            models.LoadAdapter(models_pb2.LoadAdapterRequest(model_id=MODEL, adapter_id=name, source=source))
        everyone = (MODEL, *names)
        alone = [answer(name) for name in everyone]
        together = list(pool.map(answer, everyone * 3))
        for name in names:
            models.UnloadAdapter(models_pb2.UnloadAdapterRequest(adapter_id=name))
    assert len(set(alone)) == len(everyone)
    assert together == alone * 3


def test_weights_in_another_form_are_no_substitute(mesh: RunningMesh) -> None:
    other = QuantizationConfig(fp8=Fp8QuantizationConfig())
    with mesh.channel() as channel, pytest.raises(grpc.RpcError) as raised:
        InferenceServiceStub(channel).Completion(completion(quantization_config=other))
    assert raised.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "fp8" in raised.value.details()


def test_rest_answers_in_the_rfcs_json(mesh: RunningMesh) -> None:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hello"}],
        "sampling_params": {"strategy": "greedy", "max_tokens": 3},
    }
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=60, trust_env=False) as client:
        whole = client.post("/inference/chat_completion", json=body).json()
        streamed = client.post("/inference/chat_completion", json=body | {"stream": True})
    message = whole["completion_message"]
    assert message == {
        "role": "assistant",
        "content": message["content"],
        "stop_reason": "out_of_tokens",
        "tool_calls": [],
    }
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert all(line.startswith("data: {") for line in streamed.text.split("\n\n") if line)


def test_the_openai_sdk_streams_the_same_text(mesh: RunningMesh) -> None:
    with openai.OpenAI(base_url=f"http://{mesh.gateway}/v1", api_key="none") as client:
        messages = [{"role": "user", "content": "hello"}]
        whole = client.chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=9)  # type: ignore[arg-type]
        chunks = client.chat.completions.create(
            model=MODEL,
            messages=messages,
            temperature=0,
            max_tokens=9,
            stream=True,  # type: ignore[arg-type]
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 9


def test_the_end_of_a_turn_stops_an_answer_and_is_no_text(mesh: RunningMesh) -> None:
    end = ENDS[-1]
    with openai.OpenAI(base_url=f"http://{mesh.gateway}/v1", api_key="none") as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], logit_bias={str(end): 100}, max_tokens=50
        )
    [choice] = answer.choices
    assert (choice.finish_reason, choice.message.content or "") == ("stop", "")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 1


def test_several_choices_are_several_sequences(mesh: RunningMesh) -> None:
    with openai.OpenAI(base_url=f"http://{mesh.gateway}/v1", api_key="none") as client:
        answer = client.completions.create(model=MODEL, prompt="hello", n=3, temperature=1, seed=3, max_tokens=20)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.text for choice in answer.choices}) == 3
    assert answer.usage is not None
    assert 20 < answer.usage.completion_tokens <= 60


def test_the_openai_sdk_gets_the_call_and_the_answer_that_it_forces(mesh: RunningMesh) -> None:
    unit = {"type": "object", "properties": {"unit": {"enum": ["C", "F"]}}, "required": ["unit"]}
    schema = unit | {"additionalProperties": False}
    with openai.OpenAI(base_url=f"http://{mesh.gateway}/v1", api_key="none") as client:
        called = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Oslo?"}],
            tools=[{"type": "function", "function": {"name": "weather", "parameters": schema}}],
            tool_choice={"type": "function", "function": {"name": "weather"}},
        )
        answered = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Oslo?"}],
            response_format={"type": "json_schema", "json_schema": {"name": "unit", "schema": schema}},
        )
    (call,) = called.choices[0].message.tool_calls or []
    assert call.type == "function"
    answers = [call.function.arguments, answered.choices[0].message.content or ""]
    assert [json.loads(answer)["unit"] in {"C", "F"} for answer in answers] == [True, True]
    assert [made.choices[0].finish_reason for made in (called, answered)] == ["tool_calls", "stop"]


def test_a_demanded_call_is_made_and_no_piece_of_it_is_text(mesh: RunningMesh) -> None:
    parameters = {"loud": ToolParamDefinition(param_type="bool"), "soft": ToolParamDefinition(param_type="bool")}
    tool = ToolDefinition(tool_name=ToolName(custom="ring"), description="Rings.", parameters=parameters)
    request = chat(available_tools=[tool], tool_choice=pb.TOOL_CHOICE_REQUIRED)
    with mesh.channel() as channel:
        stub = InferenceServiceStub(channel)
        [call] = stub.ChatCompletion(request).completion_message.tool_calls
        deltas = [chunk.event.delta for chunk in stub.StreamChatCompletion(request)]
    calls = [delta.tool_call.content.tool_call for delta in deltas if delta.tool_call.content.HasField("tool_call")]
    assert call.tool_name == tool.tool_name
    assert sorted(call.arguments) == ["loud", "soft"]
    assert {value.WhichOneof("kind") for value in call.arguments.values()} == {"bool_value"}
    assert "".join(delta.text for delta in deltas) == ""
    assert [dict(made.arguments) for made in calls] == [dict(call.arguments)]


@pytest.mark.parametrize(
    "fields", [{}, {"available_tools": [ToolDefinition(tool_name=ToolName(custom="ring"))], "guidance": {"regex": "a"}}]
)
def test_a_call_that_can_not_be_demanded_is_refused(mesh: RunningMesh, fields: dict[str, object]) -> None:
    with mesh.channel() as channel, pytest.raises(grpc.RpcError) as raised:
        InferenceServiceStub(channel).ChatCompletion(chat(tool_choice=pb.TOOL_CHOICE_REQUIRED, **fields))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "tool_choice" in raised.value.details()


def test_a_caller_that_goes_away_frees_the_engine_within_a_second(mesh: RunningMesh) -> None:
    with mesh.channel() as channel:
        stub = InferenceServiceStub(channel)
        streams = [stub.StreamCompletion(completion("x" * 20)) for _ in range(8)]
        for stream in streams:
            next(stream)
        assert mesh.metric("inference_engine_requests") == 8
        for stream in streams:
            stream.cancel()
        eventually(lambda: mesh.metric("inference_engine_requests") == 0, 1.0)
    assert mesh.metric("inference_requests") == 0


@dataclass(frozen=True)
class Footprint:
    """What the inference service holds: processes below it, open files, threads, shared memory."""

    processes: int
    descriptors: int
    threads: int
    shared: frozenset[str]
    resident_mb: float


def footprint(mesh: RunningMesh) -> Footprint:
    service = inference_process(mesh)
    status = Path(f"/proc/{service}/status").read_text()
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in {service} | descendants(service)]
    return Footprint(
        processes=len(descendants(service)),
        descriptors=len(os.listdir(f"/proc/{service}/fd")),
        threads=int(re.findall(r"Threads:\s+(\d+)", status)[0]),
        shared=frozenset(name for text in maps for name in re.findall(r"/dev/shm/(psm_\S+)", text)),
        resident_mb=int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024,
    )


def test_the_death_of_the_engine_is_told_to_every_caller_and_mended(mesh: RunningMesh) -> None:
    """Once, or as often as ALTIPLANO_TEST_KILLS says; what the service holds is the same after each time."""
    rounds = int(os.environ.get("ALTIPLANO_TEST_KILLS", "1"))
    before = footprint(mesh)
    kill_the_engine_among_streams(mesh)
    first = footprint(mesh)
    for _ in range(rounds - 1):
        kill_the_engine_among_streams(mesh)
        print(footprint(mesh))
    last = footprint(mesh)
    assert (last.processes, last.shared) == (before.processes, before.shared)
    # the first engine leaves what later ones use again: thread pools, connections of callers
    assert last.descriptors <= first.descriptors + 8 <= before.descriptors + 40
    assert last.threads <= first.threads + 8 <= before.threads + 40
    assert last.resident_mb < first.resident_mb + 64


def kill_the_engine_among_streams(mesh: RunningMesh) -> None:
    """Have 32 callers stream, kill the engine, see that each is told and that the service comes back by itself."""
    service = "llamastack.inference.v1.InferenceService"

    def one(_: int) -> str:
        with mesh.channel() as channel:
            try:
                return str(len(list(InferenceServiceStub(channel).StreamCompletion(completion("y" * 20)))))
            except grpc.RpcError as error:
                return error.code().name  # type: ignore[no-any-return,attr-defined]

    with ThreadPoolExecutor(32) as pool, mesh.channel() as channel:
        health = HealthStub(channel)
        results = [pool.submit(one, index) for index in range(32)]
        eventually(lambda: mesh.metric("inference_engine_requests") == 32, 60.0)
        engine = engine_process(mesh)
        folder = files_of(engine)
        assert folder.is_dir()
        os.kill(engine, signal.SIGKILL)
        assert Counter(result.result(timeout=30) for result in results) == {"UNAVAILABLE": 32}
        check = HealthCheckRequest(service=service)
        eventually(lambda: health.Check(check).status == HealthCheckResponse.NOT_SERVING, 10.0)
        eventually(lambda: health.Check(check).status == HealthCheckResponse.SERVING, 600.0)
        again = InferenceServiceStub(channel).Completion(completion(sampling_params=SamplingParams(max_tokens=4)))
    assert again.usage.completion_tokens == 4
    assert not folder.exists()


def files_of(engine: int) -> Path:
    """Return the folder with the sockets and temporary files of an engine core."""
    environment = dict(
        entry.partition("=")[::2] for entry in Path(f"/proc/{engine}/environ").read_text().split("\0") if entry
    )
    return Path(environment["TMPDIR"])


def engine_process(mesh: RunningMesh) -> int:
    """Return vLLM's engine core."""
    return process_named(mesh, b"EngineCore")


def inference_process(mesh: RunningMesh) -> int:
    """Return the inference service."""
    return process_named(mesh, b"services.inference")


def process_named(mesh: RunningMesh, part: bytes) -> int:
    titles = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(mesh.supervisor)}
    return next(pid for pid, title in sorted(titles.items()) if part in title)
