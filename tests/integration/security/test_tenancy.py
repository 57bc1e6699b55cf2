"""Every RPC of the contracts against a stranger: what is another tenant's is not found, not listed and not changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import MessageToDict

from cli.deployables import SERVICES
from llamastack.access.v1.access_pb2 import ACTION_ADMIN, ACTION_READ
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.identity import Identity
from tests.integration.security.apps import APPS, SECRET, running
from tests.integration.security.callers import Answer, Caller, action, services
from tests.integration.security.tenants import AREAS, MARK, Area

REFUSED = {"NOT_FOUND", "PERMISSION_DENIED"}
UNFIT = {*REFUSED, "INVALID_ARGUMENT", "UNIMPLEMENTED", "UNAUTHENTICATED", "INTERNAL", "UNKNOWN"}
SERVED = {deployable.name: set(deployable.areas) for deployable in SERVICES}
LAST = ("Delete", "Drop", "Unregister", "Cancel")


def area_of(service: str) -> str:
    """Return the area of a service, ``memory`` for ``llamastack.memory.v1.MemoryBanksService``."""
    return service.split(".")[1]


@dataclass
class Tenancy:
    """One area as its owner and a stranger see it; ``kept`` is what steps have kept of their answers."""

    area: Area
    rpcs: list[MethodDescriptor]
    owner: Caller
    stranger: Caller
    kept: dict[str, Any] = field(default_factory=dict)

    async def make(self) -> None:
        """Have the owner make what there is to be seen."""
        by_name = {rpc.name: rpc for rpc in self.rpcs}
        for step in self.area.steps:
            answer = await self.owner.call(by_name[step.rpc], self._filled(step.body))
            assert answer.code == "OK" or not step.must, f"{step.rpc}: {answer}"
            if answer.message is not None:
                found = MessageToDict(answer.message, preserving_proto_field_name=True)
                self.kept |= {name: found[path] for path, name in step.keep.items()}

    async def ask(self, caller: Caller, rpc: MethodDescriptor) -> Answer:
        """Call an RPC with the names of what is the owner's."""
        known = {name: value for name, value in self.area.fields.items() if name in rpc.input_type.fields_by_name}
        body = self.area.bodies.get(rpc.name, {})
        return await caller.call(rpc, self._filled({**known, **body} if isinstance(body, Mapping) else body))

    async def seen(self) -> Mapping[str, str]:
        """Return what the owner reads."""
        reads = [rpc for rpc in self.of_tenants() if action(rpc) == ACTION_READ]
        return {rpc.name: str(await self.ask(self.owner, rpc)) for rpc in reads}

    def of_tenants(self) -> list[MethodDescriptor]:
        """Return the RPCs over what belongs to a tenant; what ends something comes last."""
        found = [rpc for rpc in self.rpcs if rpc.name not in self.area.shared]
        ends = [rpc for rpc in found if rpc.name.startswith(LAST)]
        return [rpc for rpc in found if rpc not in ends] + ends[::-1]

    def _filled(self, body: Any) -> Any:
        if isinstance(body, Mapping):
            return {name: self._filled(value) for name, value in body.items()}
        if isinstance(body, list):
            return [self._filled(value) for value in body]
        return self.kept[body[1:]] if isinstance(body, str) and body.startswith("$") else body


def kept_out(rpc: MethodDescriptor, answer: Answer) -> bool:
    """Return whether a stranger has got nothing: a refusal, or an empty list from what only reads."""
    if action(rpc) == ACTION_ADMIN:
        return answer.code == "PERMISSION_DENIED"
    if answer.code != "OK" or action(rpc) != ACTION_READ:
        return answer.code in REFUSED
    return answer.message is None or not any(found.is_repeated for found, _ in answer.message.ListFields())


@asynccontextmanager
async def tenancies(name: str, folder: Path, **settings: str) -> AsyncIterator[list[Tenancy]]:
    """Run a service, with more settings by their whole names if given, and yield the areas that it serves."""
    companion = AuthConfig(mesh_secrets=(SECRET,)).companion("test")
    assert companion is not None
    owner = Identity("user:ann", "acme", frozenset({"*:*"}))
    stranger = Identity("user:bob", "bolt", frozenset({"*:read", "*:use", "*:write"}))
    async with running(name, folder, **settings) as app, Client(ClientConfig(max_attempts=1), [companion]) as client:
        address = app.server.address
        yield [
            Tenancy(
                AREAS[area_of(service)],
                rpcs,
                Caller(client, address, owner),
                Caller(client, address, stranger),
            )
            for service, rpcs in services().items()
            if app.server.health.serving(service) is not None
        ]


@pytest.mark.parametrize("name", APPS)
async def test_a_stranger_gets_at_nothing_of_another_tenant(name: str, tmp_path: Path) -> None:
    async with tenancies(name, tmp_path) as found:
        assert {area_of(tenancy.rpcs[0].containing_service.full_name) for tenancy in found} == SERVED[name]
        for tenancy in found:
            await tenancy.make()
        for tenancy in found:
            before = await tenancy.seen()
            own = tenancy.area.own
            answers = {rpc: await tenancy.ask(tenancy.stranger, rpc) for rpc in tenancy.rpcs if rpc.name not in own}
            checked = {rpc: answers[rpc] for rpc in tenancy.of_tenants() if rpc.name not in own}
            assert {rpc.name: str(answer) for rpc, answer in checked.items() if not kept_out(rpc, answer)} == {}
            told = {rpc.name: answer.message.SerializeToString() for rpc, answer in answers.items() if answer.message}
            assert [rpc for rpc, content in told.items() if MARK.encode() in content] == []
            for rpc in tenancy.rpcs:
                if rpc.name in own:
                    assert MARK not in str(await tenancy.ask(tenancy.stranger, rpc))
            assert await tenancy.seen() == before


@pytest.mark.parametrize("name", APPS)
async def test_the_owner_gets_through_with_the_same_requests(name: str, tmp_path: Path) -> None:
    async with tenancies(name, tmp_path) as found:
        for tenancy in found:
            await tenancy.make()
            asked = [rpc for rpc in tenancy.of_tenants() if rpc.name not in tenancy.area.unmade]
            answers = {rpc: await tenancy.ask(tenancy.owner, rpc) for rpc in asked if action(rpc) != ACTION_ADMIN}
            assert {rpc.name: str(each) for rpc, each in answers.items() if each.code in UNFIT} == {}


def test_every_service_of_the_contracts_is_asked() -> None:
    assert sorted(area for areas in SERVED.values() for area in areas) == sorted(map(area_of, services()))


def test_the_table_speaks_of_rpcs_that_exist() -> None:
    names = {area_of(service): {rpc.name for rpc in rpcs} for service, rpcs in services().items()}
    for area, row in AREAS.items():
        spoken = {step.rpc for step in row.steps} | {*row.bodies, *row.own, *row.shared, *row.unmade}
        assert spoken <= names[area]
