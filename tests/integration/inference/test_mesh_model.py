"""A front that forwards to several workers: where requests go, and what becomes of them when a worker dies."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, StopReason, UserMessage
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1.models_pb2 import MODEL_KIND_LLM, MODEL_STATE_READY, GetModelRequest, Model, Replica
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from llamastack.openai.v1 import chat_pb2 as openai_pb
from llamastack.openai.v1.chat_message_pb2 import ChatContent, ChatMessage
from llamastack.openai.v1.chat_message_pb2 import UserMessage as OpenAIUserMessage
from llamastack.openai.v1.completion_pb2 import CompletionRequest
from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceStub
from llamastack.openai.v1.usage_pb2 import TextInput
from mesh.client import Client, ClientConfig
from mesh.errors import BackendUnavailable, ResourceNotFound, from_rpc
from mesh.testing import Mesh
from services.inference.model_spec import ModelSpec
from services.inference.remote.mesh import MeshModel
from tests.integration.inference.workers import NOW, ScriptedEngine, Wire, front, worker

SECONDS = 20.0


def completion(session: str | None = None) -> pb.CompletionRequest:
    return pb.CompletionRequest(model="llama", content=Content(text="hi"), session_id=session)


def chat(*texts: str) -> pb.ChatCompletionRequest:
    messages = [Message(user=UserMessage(content=Content(text=text))) for text in texts]
    return pb.ChatCompletionRequest(model="llama", messages=messages)


class Site:
    """A front and its workers; each worker is behind a wire."""

    def __init__(self, mesh: Mesh, engines: list[ScriptedEngine], wires: list[Wire]) -> None:
        self.stub = mesh.stub(InferenceServiceStub)
        self.engines = engines
        self.wires = wires

    def wire_of(self, engine: ScriptedEngine) -> Wire:
        return self.wires[self.engines.index(engine)]

    async def answerer(self, request: pb.CompletionRequest) -> str:
        response = await self.stub.Completion(request)
        return str(response.completion_message.content.text).split()[0]


async def site(stack: AsyncExitStack, folder: Path, *engines: ScriptedEngine) -> Site:
    wires = []
    for engine in engines:
        home = folder / engine.name
        served = await stack.enter_async_context(worker(engine, home))
        wires.append(await stack.enter_async_context(Wire(served.address)))
    mesh = await stack.enter_async_context(front([wire.address for wire in wires], folder))
    return Site(mesh, list(engines), wires)


async def test_answers_are_those_of_the_worker(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, ScriptedEngine("ann"))
        response = await made.stub.ChatCompletion(chat("hi"))
        events = [chunk.event async for chunk in made.stub.StreamChatCompletion(chat("hi"))]
        chunks = [chunk async for chunk in made.stub.StreamCompletion(completion())]
    message = CompletionMessage(content=Content(text="ann says hello"), stop_reason=StopReason.STOP_REASON_END_OF_TURN)
    usage = pb.Usage(prompt_tokens=1, completion_tokens=3)
    assert response == pb.ChatCompletionResponse(completion_message=message, usage=usage)
    assert [(event.event_type, event.delta.text) for event in events] == [
        (pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START, ""),
        (pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS, "ann"),
        (pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS, " says"),
        (pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS, " hello"),
        (pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_COMPLETE, ""),
    ]
    assert events[-1].usage == usage
    assert chunks == [
        pb.CompletionResponseStreamChunk(delta="ann"),
        pb.CompletionResponseStreamChunk(delta=" says"),
        pb.CompletionResponseStreamChunk(delta=" hello", stop_reason=StopReason.STOP_REASON_END_OF_TURN, usage=usage),
    ]


async def test_requests_of_openais_api_are_answered_by_the_worker_under_the_fronts_name(tmp_path: Path) -> None:
    request = openai_pb.ChatCompletionRequest(
        model="ours", messages=[ChatMessage(user=OpenAIUserMessage(content=ChatContent(text="hi")))]
    )
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(worker(ScriptedEngine("ann"), tmp_path / "ann"))
        mesh = await stack.enter_async_context(front([served.address], tmp_path, name="ours"))
        stub = mesh.stub(OpenAIServiceStub)
        response = await stub.ChatCompletion(request)
        chunks = [chunk async for chunk in stub.StreamChatCompletion(request)]
        continuation = CompletionRequest(model="ours", prompt=TextInput(text="hi"))
        text = await stub.Completion(continuation)
        texts = [chunk async for chunk in stub.StreamCompletion(continuation)]
    assert [choice.message.content for choice in response.choices] == ["ann says hello"]
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "ann says hello"
    assert [choice.text for choice in text.choices] == ["ann says hello"]
    assert "".join(chunk.choices[0].text for chunk in texts) == "ann says hello"
    assert {answer.model for answer in chunks} == {answer.model for answer in texts} == {"ours"}
    assert (response.model, text.model) == ("ours", "ours")


async def test_the_front_tells_about_the_model_what_the_workers_tell(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(worker(ScriptedEngine("ann"), tmp_path / "ann"))
        mesh = await stack.enter_async_context(front([served.address], tmp_path, name="ours"))
        model = await mesh.stub(ModelsServiceStub).GetModel(GetModelRequest(model_id="ours"))
    assert model == Model(
        model_id="ours",
        kind=MODEL_KIND_LLM,
        state=MODEL_STATE_READY,
        replicas=[Replica(address=served.address, state=MODEL_STATE_READY)],
        engine="mesh",
        context_length=128,
        created_at=Timestamp(seconds=int(NOW.timestamp())),
    )


async def test_one_session_stays_with_one_worker_and_many_sessions_use_all(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, *(ScriptedEngine(name) for name in ("ann", "bob", "cho")))
        same = {await made.answerer(completion("s")) for _ in range(10)}
        all_of_them = {await made.answerer(completion(f"session-{n}")) for n in range(30)}
    assert len(same) == 1
    assert all_of_them == {"ann", "bob", "cho"}


async def test_a_conversation_without_a_session_goes_on_where_it_began(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, *(ScriptedEngine(name) for name in ("ann", "bob", "cho")))
        turns = [chat(*["who are you?", "really?", "and now?"][:count]) for count in (1, 2, 3)]
        answers = {(await made.stub.ChatCompletion(turn)).completion_message.content.text for turn in turns}
    assert len(answers) == 1


async def test_requests_without_a_session_go_to_the_least_loaded_worker(tmp_path: Path) -> None:
    slow = ScriptedEngine("ann", hold_at=0)
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, slow, ScriptedEngine("bob"))
        first = [asyncio.create_task(made.answerer(completion())) for _ in range(2)]
        await asyncio.wait_for(slow.held.get(), SECONDS)
        await asyncio.wait(first, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        answers = [await made.answerer(completion()) for _ in range(4)]
        slow.release.set()
        both = {await asyncio.wait_for(call, SECONDS) for call in first}
    assert answers == ["bob"] * 4
    assert both == {"ann", "bob"}


async def test_requests_that_a_dying_worker_has_not_begun_to_answer_go_elsewhere(tmp_path: Path) -> None:
    held: asyncio.Queue[str] = asyncio.Queue()
    engines = [ScriptedEngine(name, hold_at=0, held=held) for name in ("ann", "bob")]
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, *engines)
        calls = [asyncio.create_task(made.answerer(completion())) for _ in range(8)]
        async with asyncio.timeout(SECONDS):
            places = [await held.get() for _ in calls]
        await made.wires[0].cut()
        engines[1].release.set()
        async with asyncio.timeout(SECONDS):
            answers = await asyncio.gather(*calls)
    assert sorted(places) == ["ann"] * 4 + ["bob"] * 4
    assert answers == ["bob"] * 8


async def test_streams_that_a_dying_worker_has_only_heralded_go_elsewhere(tmp_path: Path) -> None:
    held: asyncio.Queue[str] = asyncio.Queue()
    engines = [ScriptedEngine(name, hold_at=0, held=held) for name in ("ann", "bob")]
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, *engines)
        call = made.stub.StreamChatCompletion(chat("hi"))
        async with asyncio.timeout(SECONDS):
            first = await held.get()
            await made.wires[[engine.name for engine in engines].index(first)].cut()
            second = await held.get()
            for engine in engines:
                engine.release.set()
            events = [chunk.event async for chunk in call]
    assert {first, second} == {"ann", "bob"}
    assert "".join(event.delta.text for event in events) == f"{second} says hello"
    assert [event.event_type for event in events].count(pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_START) == 1


async def test_a_stream_that_has_begun_ends_with_unavailable_and_the_next_request_moves(tmp_path: Path) -> None:
    engines = [ScriptedEngine(name, hold_at=2) for name in ("ann", "bob")]
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, *engines)
        call = made.stub.StreamCompletion(completion("s"))
        first = [(await anext(aiter(call))).delta for _ in range(2)]
        dying = next(engine for engine in engines if not engine.held.empty())
        other = next(engine for engine in engines if engine is not dying)
        await made.wire_of(dying).cut()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            async with asyncio.timeout(SECONDS):
                await anext(aiter(call))
        other.release.set()
        later = await made.answerer(completion("s"))
    assert first == [dying.name, " says"]
    assert isinstance(from_rpc(failure.value), BackendUnavailable)
    assert later == other.name


async def test_a_worker_whose_engine_restarts_is_passed_over(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, ScriptedEngine("ann", broken=True), ScriptedEngine("bob"))
        answers = {await made.answerer(completion()) for _ in range(4)}
    assert answers == {"bob"}


async def test_a_client_that_goes_away_aborts_the_request_at_the_worker(tmp_path: Path) -> None:
    engine = ScriptedEngine("ann", hold_at=1)
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, engine)
        call = made.stub.StreamCompletion(completion())
        await anext(aiter(call))
        call.cancel()
        await asyncio.wait_for(engine.ended.wait(), SECONDS)
        assert engine.inside == 0


async def test_an_error_of_the_worker_is_passed_on_as_it_is(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        engine = ScriptedEngine("ann")
        served = await stack.enter_async_context(worker(engine, tmp_path / "ann"))
        mesh = await stack.enter_async_context(front([served.address], tmp_path))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await mesh.stub(InferenceServiceStub).Embeddings(pb.EmbeddingsRequest(model="llama", contents=["x"]))
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_the_front_may_call_the_model_by_another_name(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(worker(ScriptedEngine("ann"), tmp_path / "ann"))
        mesh = await stack.enter_async_context(front([served.address], tmp_path, name="ours"))
        stub = mesh.stub(InferenceServiceStub)
        response = await stub.Completion(pb.CompletionRequest(model="ours", content=Content(text="hi")))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Completion(completion())
    assert response.completion_message.content.text == "ann says hello"
    assert isinstance(from_rpc(failure.value), ResourceNotFound)


async def test_a_batch_is_spread_over_the_workers(tmp_path: Path) -> None:
    engines = [ScriptedEngine(name) for name in ("ann", "bob")]
    async with AsyncExitStack() as stack:
        made = await site(stack, tmp_path, *engines)
        batch = pb.BatchCompletionRequest(model="llama", content_batch=[Content(text=str(n)) for n in range(6)])
        response = await made.stub.BatchCompletion(batch)
    answers = [message.content.text for message in response.completion_message_batch]
    assert len(answers) == 6
    assert set(answers) == {"ann says hello", "bob says hello"}


async def test_a_model_whose_workers_can_not_be_reached_is_unavailable(tmp_path: Path) -> None:
    async with Wire("127.0.0.1:1") as wire:
        address = wire.address
    async with Client(ClientConfig()) as client:
        with pytest.raises(BackendUnavailable):
            await MeshModel(ModelSpec("llama", addresses=(address,)), client, connect_s=0.2).start()
