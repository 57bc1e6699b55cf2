"""A front that knows its workers by one name: each address behind it is a replica, for as long as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from llamastack.common.v1.content_pb2 import Content
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1.models_pb2 import (
    MODEL_STATE_DRAINING,
    MODEL_STATE_READY,
    GetModelRequest,
    ModelState,
    Replica,
)
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.testing import Mesh
from services.inference.remote.naming import Pace
from tests.integration.inference.workers import ScriptedEngine, Wire, front, worker
from tests.ports import free_port

SECONDS = 20.0
NAMES = ("ann", "bob", "cho")
OFTEN = Pace(look_s=0.02, again_s=0.02)
SELDOM = Pace(look_s=3600.0, again_s=0.02)
"""Only a doubt makes anybody look twice."""


class Zone:
    """A resolver whose one name leads where it is told to; None for a resolver that is away."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts: Sequence[str] | None = hosts
        self._asked = asyncio.Condition()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        assert host == "workers.test"
        async with self._asked:
            self._asked.notify_all()
        if self.hosts is None:
            raise OSError("the resolver is away")
        return list(self.hosts)

    async def looked_at(self) -> None:
        """Return when somebody has looked and done what there was to do."""
        for _ in range(2):
            async with asyncio.timeout(SECONDS), self._asked:
                await self._asked.wait()


class Site:
    """A front and its workers, each on an address of loopback of its own and on the port that all have."""

    def __init__(self, mesh: Mesh, zone: Zone, wires: dict[str, Wire], port: int) -> None:
        self.stub = mesh.stub(InferenceServiceStub)
        self.zone = zone
        self.wires = wires
        self._models = mesh.stub(ModelsServiceStub)
        self._port = port

    async def answerer(self, session: str | None = None) -> str:
        response = await self.stub.Completion(completion(session))
        return str(response.completion_message.content.text).split()[0]

    async def all_answer(self, *names: str) -> None:
        """Return when each of these workers has answered, or fail."""
        missing, count = set(names), 0
        async with asyncio.timeout(SECONDS):
            while missing:
                missing.discard(await self.answerer(f"session-{(count := count + 1)}"))

    async def replicas(self) -> dict[str, Replica]:
        """Return what the front tells of its replicas, by host."""
        model = await self._models.GetModel(GetModelRequest(model_id="llama"))
        assert all(replica.address.endswith(f":{self._port}") for replica in model.replicas)
        return {replica.address.rpartition(":")[0]: replica for replica in model.replicas}

    async def tells(self, host: str, state: ModelState.ValueType) -> None:
        """Return when the front tells this state of a host, or fail."""
        async with asyncio.timeout(SECONDS):
            while (await self.replicas()).get(host, Replica()).state != state:
                await self.zone.looked_at()

    def ready(self, host: str) -> Replica:
        return Replica(address=f"{host}:{self._port}", state=MODEL_STATE_READY)


def completion(session: str | None = None) -> pb.CompletionRequest:
    return pb.CompletionRequest(model="llama", content=Content(text="hi"), session_id=session)


def host_of(number: int) -> str:
    return f"127.0.0.{number + 2}"


@asynccontextmanager
async def site(folder: Path, engines: Sequence[ScriptedEngine], known: int, pace: Pace = OFTEN) -> AsyncIterator[Site]:
    """Serve by workers of which the name leads to the first ones."""
    port, wires, zone = free_port(), dict[str, Wire](), Zone([host_of(number) for number in range(known)])
    async with AsyncExitStack() as stack:
        for number, engine in enumerate(engines):
            served = await stack.enter_async_context(worker(engine, folder / engine.name))
            wire = Wire(served.address, f"{host_of(number)}:{port}")
            wires[engine.name] = await stack.enter_async_context(wire)
        mesh = await stack.enter_async_context(front([f"workers.test:{port}"], folder, resolve=zone, pace=pace))
        yield Site(mesh, zone, wires, port)


async def test_each_address_of_a_name_is_a_replica_of_its_own(tmp_path: Path) -> None:
    async with site(tmp_path, [ScriptedEngine(name) for name in NAMES], known=3) as made:
        await made.all_answer(*NAMES)
        same = {await made.answerer("s") for _ in range(10)}
        replicas = await made.replicas()
    assert replicas == {host_of(number): made.ready(host_of(number)) for number in range(3)}
    assert len(same) == 1


async def test_requests_go_to_the_least_loaded_address_of_a_name(tmp_path: Path) -> None:
    slow = ScriptedEngine("ann", hold_at=0)
    async with site(tmp_path, [slow, ScriptedEngine("bob")], known=2) as made:
        first = [asyncio.create_task(made.answerer()) for _ in range(2)]
        await asyncio.wait_for(slow.held.get(), SECONDS)
        await asyncio.wait(first, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        answers = [await made.answerer() for _ in range(4)]
        slow.release.set()
        both = {await asyncio.wait_for(call, SECONDS) for call in first}
    assert answers == ["bob"] * 4
    assert both == {"ann", "bob"}


async def test_requests_of_an_address_that_dies_go_to_another_one_of_the_name(tmp_path: Path) -> None:
    held: asyncio.Queue[str] = asyncio.Queue()
    engines = [ScriptedEngine(name, hold_at=0, held=held) for name in ("ann", "bob")]
    async with site(tmp_path, engines, known=2) as made:
        calls = [asyncio.create_task(made.answerer()) for _ in range(8)]
        async with asyncio.timeout(SECONDS):
            places = [await held.get() for _ in calls]
        await made.wires["ann"].cut()
        engines[1].release.set()
        async with asyncio.timeout(SECONDS):
            answers = await asyncio.gather(*calls)
    assert sorted(places) == ["ann"] * 4 + ["bob"] * 4
    assert answers == ["bob"] * 8


async def test_an_address_that_comes_gets_requests(tmp_path: Path) -> None:
    async with site(tmp_path, [ScriptedEngine(name) for name in NAMES], known=1) as made:
        before = {await made.answerer(f"session-{number}") for number in range(10)}
        made.zone.hosts = [host_of(number) for number in range(3)]
        await made.all_answer(*NAMES)
    assert before == {"ann"}


async def test_an_address_that_goes_finishes_what_it_has_and_gets_nothing_new(tmp_path: Path) -> None:
    engines = [ScriptedEngine("ann", hold_at=1), ScriptedEngine("bob")]
    async with site(tmp_path, engines, known=1) as made:
        call = made.stub.StreamCompletion(completion())
        text = (await anext(aiter(call))).delta
        made.zone.hosts = [host_of(1)]
        await made.tells(host_of(1), MODEL_STATE_READY)
        leaving = await made.replicas()
        answers = {await made.answerer(f"session-{number}") for number in range(10)}
        engines[0].release.set()
        async with asyncio.timeout(SECONDS):
            text += "".join([chunk.delta async for chunk in call])
        await made.zone.looked_at()
        left = await made.replicas()
    draining = Replica(address=made.ready(host_of(0)).address, state=MODEL_STATE_DRAINING, active_requests=1)
    assert leaving == {host_of(0): draining, host_of(1): made.ready(host_of(1))}
    assert (text, answers) == ("ann says hello", {"bob"})
    assert left == {host_of(1): made.ready(host_of(1))}


async def test_an_address_that_goes_serves_until_its_successor_does(tmp_path: Path) -> None:
    async with site(tmp_path, [ScriptedEngine(name) for name in ("ann", "bob")], known=1) as made:
        await made.wires["bob"].cut()
        made.zone.hosts = [host_of(1)]
        await made.tells(host_of(0), MODEL_STATE_DRAINING)
        answers = {await made.answerer() for _ in range(4)}
    assert answers == {"ann"}


async def test_an_address_that_comes_back_while_it_leaves_stays(tmp_path: Path) -> None:
    async with site(tmp_path, [ScriptedEngine("ann", hold_at=1), ScriptedEngine("bob")], known=1) as made:
        call = made.stub.StreamCompletion(completion())
        text = (await anext(aiter(call))).delta
        made.zone.hosts = [host_of(1)]
        await made.tells(host_of(0), MODEL_STATE_DRAINING)
        made.zone.hosts = [host_of(0)]
        await made.tells(host_of(0), MODEL_STATE_READY)
        replicas = await made.replicas()
        call.cancel()
    assert text == "ann"
    assert replicas[host_of(0)].active_requests == 1


async def test_the_addresses_stay_as_they_were_while_the_resolver_is_away(tmp_path: Path) -> None:
    async with site(tmp_path, [ScriptedEngine(name) for name in ("ann", "bob")], known=2) as made:
        made.zone.hosts = None
        await made.zone.looked_at()
        await made.all_answer("ann", "bob")
        known = await made.replicas()
    assert known == {host: made.ready(host) for host in (host_of(0), host_of(1))}


async def test_the_death_of_an_address_makes_the_front_look_for_its_successor(tmp_path: Path) -> None:
    async with site(tmp_path, [ScriptedEngine(name) for name in NAMES], known=2, pace=SELDOM) as made:
        await made.all_answer("ann", "bob")
        made.zone.hosts = [host_of(1), host_of(2)]
        await made.wires["ann"].cut()
        await made.all_answer("cho")
        left = await made.replicas()
    assert left == {host: made.ready(host) for host in (host_of(1), host_of(2))}
