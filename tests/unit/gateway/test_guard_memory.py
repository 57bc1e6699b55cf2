"""How long the gateway remembers whom it let through, and to what."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import guard as guard_module
from gateway.app import load_contract
from gateway.exchange import Exchange
from gateway.guard import Guard
from mesh.auth.authenticator import Credentials
from mesh.errors import InvalidCredentials, MissingScope
from mesh.identity import LOCAL, Identity

CHAT = load_contract().rpcs["/llamastack.inference.v1.InferenceService/ChatCompletion"]
EMBEDDINGS = load_contract().rpcs["/llamastack.inference.v1.InferenceService/Embeddings"]
ANN = Identity("key:ann", "acme", frozenset({"inference:use"}))
BOB = Identity("key:bob", "acme", frozenset({"memory:use"}))


class Keys:
    """Knows callers by their keys, and how often it was asked."""

    def __init__(self) -> None:
        self.known = {"a": ANN, "b": BOB}
        self.asked = 0

    def begin(self) -> None:
        pass

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        self.asked += 1
        return self.known.get(credentials.metadata.get("x-api-key", ""))


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.25

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(guard_module, "time", made)
    return made


def exchange(key: str | None) -> Exchange:
    headers = {} if key is None else {b"x-api-key": key.encode()}
    nobody: Any = None
    return Exchange(("POST", "/inference/chat_completion", b"", headers, None), nobody)


async def test_an_admitted_caller_is_known_until_the_second_is_over(clock: Clock) -> None:
    keys = Keys()
    guard = Guard(keys)
    assert not guard.knows(exchange("a"), CHAT)
    assert await guard.admit(exchange("a"), CHAT) == ANN
    del keys.known["a"]
    clock.now = 100.99
    again = exchange("a")
    assert guard.knows(again, CHAT)
    assert (again.identity, again.subject, keys.asked) == (ANN, "key:ann", 1)
    clock.now = 101.0
    late = exchange("a")
    assert not guard.knows(late, CHAT)
    assert late.identity is None
    with pytest.raises(InvalidCredentials):
        await guard.admit(late, CHAT)


async def test_what_is_known_of_one_caller_and_rpc_opens_nothing_else(clock: Clock) -> None:
    guard = Guard(Keys())
    await guard.admit(exchange("a"), CHAT)
    assert not guard.knows(exchange("b"), CHAT)
    assert not guard.knows(exchange(None), CHAT)
    assert not guard.knows(exchange("a"), EMBEDDINGS)


async def test_a_caller_who_was_refused_is_not_remembered(clock: Clock) -> None:
    keys = Keys()
    guard = Guard(keys)
    for count in (1, 2):
        with pytest.raises(MissingScope):
            await guard.admit(exchange("b"), CHAT)
        assert not guard.knows(exchange("b"), CHAT)
        assert keys.asked == count


async def test_without_authentication_everybody_is_known() -> None:
    guard = Guard(None)
    anybody = exchange(None)
    assert guard.knows(anybody, CHAT)
    assert anybody.identity == await guard.admit(anybody, CHAT) == LOCAL
