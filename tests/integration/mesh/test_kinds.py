"""What holds for a call of every kind: answers, errors, validation, deadlines, limits, cancelling."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest

from llamastack.inference.v1.inference_pb2 import CompletionRequest
from mesh import deadline, metadata
from mesh.client import Client, ClientConfig
from mesh.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    Internal,
    InvalidField,
    MalformedRequest,
    Overloaded,
    ResourceBusy,
    Violation,
    from_rpc,
    to_status,
)
from mesh.identity import LOCAL, current
from mesh.server import ServerConfig
from mesh.testing import mesh_of
from tests.integration.mesh.health import health_of
from tests.integration.mesh.kinds import KINDS, NAMES, SERVICE, Behaviour, Kinds, add_kinds, aiter_of, call, request

every_kind = pytest.mark.parametrize("kind", NAMES)


async def refusal(
    kind: str, *requests: CompletionRequest, behaviour: Behaviour | None = None, **options: float
) -> grpc.aio.AioRpcError:
    """Call a servicer and return the error that comes back."""
    async with mesh_of({add_kinds: Kinds(behaviour)}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(mesh.channel, kind, *requests, **options)
    return failure.value


@every_kind
async def test_a_call_is_answered(kind: str) -> None:
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        assert await call(mesh.channel, kind, request("ab"), request("c")) == ("abc" if KINDS[kind][0] else "ab")


@every_kind
async def test_an_error_of_the_mesh_arrives_whole(kind: str) -> None:
    raised = ResourceBusy("the session has a turn", retry_after_s=2.5, metadata={"turn": "t1"})

    async def behave(requests: list[CompletionRequest]) -> None:
        raise raised

    assert to_status(from_rpc(await refusal(kind, request("a"), behaviour=behave))) == to_status(raised)


@every_kind
async def test_a_defect_shows_an_id_that_the_log_has_and_nothing_else(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def behave(requests: list[CompletionRequest]) -> None:
        raise ValueError("/secret/path")

    failure = await refusal(kind, request("a"), behaviour=behave)
    error = from_rpc(failure)
    assert isinstance(error, Internal)
    assert to_status(error) == to_status(Internal(error.error_id))
    assert "secret" not in str(failure)
    assert error.error_id in caplog.text
    assert "/secret/path" in caplog.text


@every_kind
async def test_a_bad_field_is_named_by_its_path(kind: str) -> None:
    bad = CompletionRequest(model="m", prompt_token_ids={"ids": [1, -1]})  # type: ignore[arg-type]  # a dict is fine
    error = from_rpc(await refusal(kind, bad))
    assert type(error) is InvalidField
    assert error.details.violations == (
        Violation("content", "value is required"),
        Violation("prompt_token_ids.ids[1]", "must be greater than or equal to 0"),
    )


@pytest.mark.parametrize("kind", ["StreamUnary", "StreamStream"])
async def test_a_bad_message_in_the_middle_of_a_stream_is_refused(kind: str) -> None:
    error = from_rpc(await refusal(kind, request("a"), CompletionRequest(), request("b")))
    assert type(error) is InvalidField
    assert error.details.violations[0].path == "model"


@every_kind
async def test_bytes_that_are_no_message_are_malformed(kind: str) -> None:
    client, streams = KINDS[kind]
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        start = getattr(mesh.channel, f"{'stream' if client else 'unary'}_{'stream' if streams else 'unary'}")(
            f"/{SERVICE}/{kind}"
        )
        made = start(aiter_of(b"\xff\xff") if client else b"\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            _ = await made.read() if streams else await made
    assert type(from_rpc(failure.value)) is MalformedRequest


class Stuck:
    """A behaviour that waits until it is cancelled, and tells of both."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.remaining: float | None = None

    async def __call__(self, requests: list[CompletionRequest]) -> None:
        self.remaining = deadline.remaining()
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@every_kind
async def test_a_call_without_a_deadline_gets_the_default_one(kind: str) -> None:
    stuck = Stuck()
    config = ServerConfig(default_deadline_s=0.5, default_stream_deadline_s=0.5)
    client = Client(ClientConfig(timeout_s=None))
    async with mesh_of({add_kinds: Kinds(stuck)}, config=config, client=client) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(mesh.channel, kind, request("a"))
    error = from_rpc(failure.value)
    assert (type(error), error.message) == (DeadlineExceeded, "the call took longer than 0.5 s")
    assert stuck.ended.is_set()


@every_kind
async def test_a_callers_deadline_is_known_to_the_servicer_and_ends_it(kind: str) -> None:
    stuck = Stuck()
    async with mesh_of({add_kinds: Kinds(stuck)}) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(mesh.channel, kind, request("a"), timeout=1)
        assert type(from_rpc(failure.value)) is DeadlineExceeded
        await asyncio.wait_for(stuck.ended.wait(), 10)
    assert stuck.remaining is not None
    assert 0 < stuck.remaining <= 1


@every_kind
async def test_a_caller_that_goes_away_ends_the_servicer(kind: str) -> None:
    stuck = Stuck()
    async with mesh_of({add_kinds: Kinds(stuck)}) as mesh:
        task = asyncio.create_task(call(mesh.channel, kind, request("a")))
        await asyncio.wait_for(stuck.begun.wait(), 10)
        task.cancel()
        await asyncio.wait_for(stuck.ended.wait(), 10)


@every_kind
async def test_a_full_server_says_when_to_come_back_and_is_not_ill(kind: str) -> None:
    stuck = Stuck()
    config = ServerConfig(max_concurrent_rpcs=1, drain_grace_s=0)
    async with mesh_of({add_kinds: Kinds(stuck)}, config=config) as mesh:
        first = asyncio.create_task(call(mesh.channel, kind, request("a")))
        await asyncio.wait_for(stuck.begun.wait(), 10)
        assert mesh.server.active == 1
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(mesh.channel, kind, request("b"))
        assert to_status(from_rpc(failure.value)) == to_status(Overloaded(retry_after_s=1))
        assert await health_of(mesh.channel, SERVICE) == "SERVING"
        first.cancel()
        await asyncio.wait_for(stuck.ended.wait(), 10)
        assert mesh.server.active == 0


@every_kind
async def test_the_servicer_knows_who_calls_and_which_request_it_is(kind: str) -> None:
    seen: list[object] = []

    async def behave(requests: list[CompletionRequest]) -> None:
        seen.extend([current(), metadata.request_id(), dict(metadata.passed_on()).get(metadata.PROVIDER_DATA)])

    pairs = ((metadata.REQUEST_ID, "r-1"), (metadata.PROVIDER_DATA, "{}"))
    async with mesh_of({add_kinds: Kinds(behave)}) as mesh:
        await call(mesh.channel, kind, request("a"), metadata=pairs)
    assert seen == [LOCAL, "r-1", "{}"]


@every_kind
async def test_an_error_passes_several_hops_unchanged(kind: str) -> None:
    raised = BackendUnavailable("the engine restarts", retry_after_s=7, metadata={"engine": "e1"})

    async def fail(requests: list[CompletionRequest]) -> None:
        raise raised

    async with mesh_of({add_kinds: Kinds(fail)}) as last:

        async def forward(requests: list[CompletionRequest]) -> None:
            await call(last.channel, kind, *requests)

        async with mesh_of({add_kinds: Kinds(forward)}) as middle:

            async def forward_again(requests: list[CompletionRequest]) -> None:
                await call(middle.channel, kind, *requests)

            error = from_rpc(await refusal(kind, request("a"), behaviour=forward_again))
    assert to_status(error) == to_status(raised)


@every_kind
async def test_deadline_request_id_and_cancelling_reach_the_service_behind(kind: str) -> None:
    stuck = Stuck()
    ids: list[str | None] = []

    async def last_behave(requests: list[CompletionRequest]) -> None:
        ids.append(metadata.request_id())
        await stuck(requests)

    # far above the ticks that the runtime rounds a deadline up to
    client = Client(ClientConfig(deadline_margin_s=5.0))
    async with mesh_of({add_kinds: Kinds(last_behave)}, client=client) as last:

        async def forward(requests: list[CompletionRequest]) -> None:
            await call(last.channel, kind, *requests)

        async with mesh_of({add_kinds: Kinds(forward)}) as first:
            pairs = ((metadata.REQUEST_ID, "r-1"),)
            task = asyncio.create_task(call(first.channel, kind, request("a"), timeout=20, metadata=pairs))
            await asyncio.wait_for(stuck.begun.wait(), 10)
            task.cancel()
            await asyncio.wait_for(stuck.ended.wait(), 10)
    assert ids == ["r-1"]
    assert stuck.remaining is not None
    assert 5 < stuck.remaining < 16
