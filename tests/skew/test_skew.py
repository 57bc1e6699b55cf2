"""Clients of every recorded version are served: their requests, byte by byte, get answers that they can read.

They read by the contracts of their version. What they were told then they are told now, except for what was never the
same twice; an answer may have become more. A version is recorded by ``python -m tests.skew.record`` at its release.
"""

from __future__ import annotations

from pathlib import Path

import grpc.aio
import pytest

from mesh.contracts import contracts
from tests.skew.contracts import OldClient, pool, read, shape
from tests.skew.deployment import AREAS_OF, deployed, in_front
from tests.skew.exchanges import ANY, load, merged, misfits, versions
from tests.skew.reading import answer_of

every_version = pytest.mark.parametrize("version", versions())
every_service = pytest.mark.parametrize("service", AREAS_OF)


@every_version
@every_service
async def test_requests_over_grpc_are_answered_as_they_were(version: str, service: str, tmp_path: Path) -> None:
    renamed: dict[str, str] = {}
    problems = []
    async with deployed(service, tmp_path) as address, grpc.aio.insecure_channel(address) as channel:
        client = OldClient(channel, pool(version))
        for exchange in load(version, "wire", service):
            how, answer = await client.call(exchange.target, exchange.sent(renamed))
            found = misfits({"how": exchange.how, "answer": exchange.answer}, {"how": how, "answer": answer}, "")
            problems += [f"{exchange.target}{problem}" for problem in found]
            renamed |= {old: answer[member] for member, old in exchange.keep.items()}
    assert problems == []


@every_version
@every_service
async def test_requests_over_rest_are_answered_as_they_were(version: str, service: str, tmp_path: Path) -> None:
    renamed: dict[str, str] = {}
    problems = []
    async with deployed(service, tmp_path) as address, in_front(service, address) as http:
        for exchange in load(version, "rest", service):
            verb, _, path = exchange.path(renamed).partition(" ")
            how, answer = await answer_of(http, verb, path, exchange.sent(renamed)[0])
            found = misfits({"how": exchange.how, "answer": exchange.answer}, {"how": how, "answer": answer}, "")
            problems += [f"{exchange.target}{problem}" for problem in found]
            renamed |= {old: answer[member] for member, old in exchange.keep.items()}
    assert problems == []


@every_version
def test_every_rpc_of_a_version_was_recorded(version: str) -> None:
    recorded = {exchange.target for service in AREAS_OF for exchange in load(version, "wire", service)}
    rpcs = {
        f"/{file.package}.{service.name}/{rpc.name}"
        for file in read(version).file
        for service in file.service
        for rpc in service.method
    }
    assert rpcs == recorded


@every_version
def test_nothing_of_a_version_has_gone_or_changed_its_number(version: str) -> None:
    old, new = set(shape(version, pool(version))), set(shape(version, contracts()))
    assert sorted(old - new) == []


def test_an_answer_that_an_old_client_cannot_use_is_noticed() -> None:
    old = merged({"id": "1", "n": 1, "rows": [{"a": 1}]}, {"id": "2", "n": 1, "rows": [{"a": 1}]})
    assert old == {"id": {ANY: "str"}, "n": 1, "rows": [{"a": 1}]}
    assert list(misfits(old, {"id": "3", "n": 1, "rows": [{"a": 1, "b": 2}], "more": True})) == []
    assert list(misfits(old, {"id": 3, "n": 2, "rows": []})) == [
        "answer.id: 3 is no str",
        "answer.n: 2 instead of 1",
        "answer.rows: [] instead of [{'a': 1}]",
    ]
