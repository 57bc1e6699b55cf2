"""Which replica a request goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import BackendUnavailable, MeshError, Overloaded, ResourceNotFound
from services.inference.remote.pool import ATTEMPTS, Pool, Replica


def pool(*active: int) -> Pool:
    made = Pool("llama", [f"r{number}" for number in range(len(active))])
    for replica, count in zip(made.replicas, active, strict=True):
        replica.serving, replica.active = True, count
    return made


def chosen(made: Pool, key: bytes | None, tried: Sequence[Replica] = ()) -> Replica:
    replica = made.choose(key, tried)
    assert replica is not None
    return replica


def test_without_a_key_the_least_loaded_replica_is_chosen() -> None:
    assert chosen(pool(3, 1, 2), None).address == "r1"


def test_equally_loaded_replicas_take_turns() -> None:
    made = pool(0, 0, 0)
    assert Counter(chosen(made, None).address for _ in range(9)) == {"r0": 3, "r1": 3, "r2": 3}


def test_replicas_that_do_not_serve_or_were_tried_are_not_chosen() -> None:
    made = pool(0, 0, 0)
    made.replicas[0].serving = False
    assert chosen(made, b"k", made.replicas[1:2]).address == "r2"
    assert made.choose(b"k", made.replicas[1:]) is None


def test_replicas_that_leave_are_chosen_only_while_no_other_serves() -> None:
    made = pool(0, 0)
    made.replicas[0].leaving = True
    assert {chosen(made, key).address for key in (None, b"a", b"b", b"c", b"d")} == {"r1"}
    made.replicas[1].serving = False
    assert chosen(made, None).address == chosen(made, b"a").address == "r0"


def test_a_key_is_with_one_replica_while_the_others_are_about_as_busy() -> None:
    made = pool(0, 0, 0, 0)
    first = chosen(made, b"session")
    for replica in made.replicas:
        replica.active = 100
    assert chosen(made, b"session") is first
    first.active = 200
    assert chosen(made, b"session") is not first


def test_keys_of_other_replicas_stay_where_they_are_when_one_goes_away() -> None:
    made = pool(0, 0, 0, 0)
    keys = [str(number).encode() for number in range(200)]
    before = {key: chosen(made, key) for key in keys}
    made.replicas[2].serving = False
    after = {key: chosen(made, key) for key in keys}
    assert all(after[key] is before[key] for key in keys if before[key] is not made.replicas[2])
    assert set(after.values()) == {made.replicas[0], made.replicas[1], made.replicas[3]}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20), st.binary(min_size=1, max_size=8))
def test_a_key_finds_a_replica_that_is_not_above_the_bound_whatever_the_load(active: list[int], key: bytes) -> None:
    found = chosen(pool(*active), key)
    assert found.active < max(8, 1.25 * (sum(active) + 1) / len(active) + 1)


class Attempts:
    """What is asked of replicas, each failing with its error if it has one."""

    def __init__(self, **errors: MeshError) -> None:
        self.errors = errors
        self.asked: list[str] = []

    async def ask(self, replica: Replica) -> str:
        self.asked.append(replica.address)
        if replica.address in self.errors:
            raise self.errors[replica.address]
        return replica.address

    async def stream(self, replica: Replica) -> AsyncGenerator[str]:
        yield await self.ask(replica)


async def test_a_request_that_a_replica_can_not_take_goes_to_the_next() -> None:
    attempts = Attempts(r1=BackendUnavailable(), r2=Overloaded())
    made = pool(2, 0, 1)
    assert await made.answer(None, attempts.ask) == "r0"
    assert [item async for item in made.stream(None, attempts.stream)] == ["r0"]
    assert attempts.asked == ["r1", "r2", "r0"] * 2
    assert made.active == 3


async def test_the_last_refusal_is_told_after_a_few_attempts() -> None:
    attempts = Attempts(**{f"r{number}": Overloaded(f"r{number} is full") for number in range(5)})
    with pytest.raises(Overloaded, match="r2 is full"):
        await pool(0, 1, 2, 3, 4).answer(None, attempts.ask)
    assert len(attempts.asked) == ATTEMPTS


async def test_an_error_of_the_request_itself_is_not_tried_elsewhere() -> None:
    attempts = Attempts(r0=ResourceNotFound("model", "llama"), r1=ResourceNotFound("model", "llama"))
    made = pool(0, 0)
    with pytest.raises(ResourceNotFound):
        await made.answer(None, attempts.ask)
    assert len(attempts.asked) == 1
    assert made.active == 0


async def test_a_stream_that_has_begun_is_not_begun_again() -> None:
    async def broken(replica: Replica) -> AsyncGenerator[str]:
        yield replica.address
        raise BackendUnavailable("gone")

    made = pool(0, 1)
    stream = made.stream(None, broken)
    assert await anext(stream) == "r0"
    with pytest.raises(BackendUnavailable, match="gone"):
        await anext(stream)
    assert made.active == 1


async def test_a_replica_that_failed_rests_while_others_serve() -> None:
    made = Pool("llama", ["r0", "r1"], rest_s=60.0)
    for replica in made.replicas:
        replica.serving = True
    attempts = Attempts(r0=BackendUnavailable(), r1=BackendUnavailable())
    with pytest.raises(BackendUnavailable):
        await made.answer(None, attempts.ask)
    # the last one never rests
    assert sorted(replica.serving for replica in made.replicas) == [False, True]


async def test_a_model_without_a_serving_replica_is_unavailable() -> None:
    made = Pool("llama", ["r0"])
    with pytest.raises(BackendUnavailable):
        made.check()
    with pytest.raises(BackendUnavailable):
        await made.answer(None, Attempts().ask)
