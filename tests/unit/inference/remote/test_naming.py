"""What counts as a name that stands for many, and what looking at one gives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.inference.remote.naming import Name, Pace, name_in


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("workers:50051", ("workers", 50051)),
        ("workers.models.svc.cluster.local:1", ("workers.models.svc.cluster.local", 1)),
        ("dns:///workers:50051", ("workers", 50051)),
    ],
)
def test_the_name_of_a_host_stands_for_its_addresses(address: str, expected: tuple[str, int]) -> None:
    name = name_in(address)
    assert name is not None
    assert (name.address, name.host, name.port) == (address, *expected)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1:50051",
        "[2001:db8::1]:50051",
        "localhost:50051",
        "unix:/run/worker.sock",
        "ipv4:10.0.0.1:50051,10.0.0.2:50051",
        "dns://10.0.0.1/workers:50051",
        "workers",
        ":50051",
    ],
)
def test_other_addresses_stand_for_one_place(address: str) -> None:
    assert name_in(address) is None


async def looks(answers: Sequence[Sequence[str] | OSError], pace: Pace, *, doubting: bool = False) -> list[list[str]]:
    """Return what is found where the resolver gives these answers, of which the last one is no error."""
    name, told = Name("workers:7", "workers", 7), list[list[str]]()
    left, over = list(answers), asyncio.Event()

    async def resolve(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("workers", 7)
        answer = left.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def found(name: Name, addresses: Sequence[str]) -> None:
        told.append(list(addresses))
        if not left:
            over.set()
        if doubting:
            name.doubt()

    following = asyncio.create_task(name.follow(resolve, found, pace))
    try:
        async with asyncio.timeout(20):
            await over.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return told


async def test_each_look_tells_each_address_once_with_the_port() -> None:
    answers = [["10.0.0.2", "10.0.0.1", "10.0.0.2"], ["10.0.0.1"]]
    assert await looks(answers, Pace(0.01, 0.01)) == [["10.0.0.2:7", "10.0.0.1:7"], ["10.0.0.1:7"]]


async def test_a_server_with_addresses_of_both_families_counts_once() -> None:
    answers = [["10.0.0.1", "2001:db8::1"], ["2001:db8::1", "10.0.0.1", "2001:db8::2"]]
    assert await looks(answers, Pace(0.01, 0.01)) == [["10.0.0.1:7"], ["[2001:db8::1]:7", "[2001:db8::2]:7"]]


async def test_a_name_that_leads_nowhere_is_looked_at_again_soon_and_not_told() -> None:
    assert await looks([OSError("no such name"), ["10.0.0.1"]], Pace(3600, 0.01)) == [["10.0.0.1:7"]]


async def test_a_doubt_brings_the_next_look_forward() -> None:
    assert await looks([["10.0.0.1"], ["10.0.0.2"]], Pace(3600, 0.01), doubting=True) == [
        ["10.0.0.1:7"],
        ["10.0.0.2:7"],
    ]
