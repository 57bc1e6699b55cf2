"""Signed identities between services."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from mesh.auth.authenticator import Credentials, FirstOf, demand
from mesh.auth.peers import PeerForwarder, PeerIdentity
from mesh.auth.tokens import AUDIENCE, LIFETIME_S, SignedIdentity, TokenSigner
from mesh.errors import InvalidCredentials
from mesh.identity import Identity
from mesh.metadata import FORWARDED_IDENTITY, IDENTITY

SECRET, OTHER = "s" * 32, "o" * 32
ANN = Identity("user:ann", "acme", frozenset({"inference:use", "memory:*"}))


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_an_identity_comes_back_as_it_was_signed() -> None:
    clock = Clock()
    assert SignedIdentity([SECRET], clock).verify(TokenSigner(SECRET, "gateway", clock).sign(ANN)) == ANN


def test_a_token_serves_half_of_its_lifetime_before_a_new_one_is_signed() -> None:
    clock = Clock()
    signer = TokenSigner(SECRET, "gateway", clock)
    first = signer.sign(ANN)
    clock.now += LIFETIME_S / 2 - 1
    assert signer.sign(ANN) == first
    clock.now += 2
    assert signer.sign(ANN) != first


def test_a_token_whose_time_is_over_is_refused_even_if_it_was_verified_before() -> None:
    clock = Clock()
    verifier = SignedIdentity([SECRET], clock)
    token = TokenSigner(SECRET, "gateway", clock).sign(ANN)
    assert verifier.verify(token) == ANN
    clock.now += LIFETIME_S + 6
    with pytest.raises(InvalidCredentials, match="not valid now"):
        verifier.verify(token)


def test_a_token_from_the_future_is_refused() -> None:
    clock = Clock()
    token = TokenSigner(SECRET, "gateway", clock).sign(ANN)
    clock.now -= 60
    with pytest.raises(InvalidCredentials, match="not valid now"):
        SignedIdentity([SECRET], clock).verify(token)


def test_secrets_are_rotated_by_verifying_with_several() -> None:
    clock = Clock()
    token = TokenSigner(OTHER, "gateway", clock).sign(ANN)
    assert SignedIdentity([SECRET, OTHER], clock).verify(token) == ANN
    with pytest.raises(InvalidCredentials, match="not from this mesh"):
        SignedIdentity([SECRET], clock).verify(token)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(Clock().now)
    made = {"aud": AUDIENCE, "sub": "x", "tenant": "t", "scopes": [], "iat": now, "exp": now + 60} | changes
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "no.token.atall",
        jwt.encode(claims(), "", algorithm="none"),
        jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
        jwt.encode(claims(aud="elsewhere"), SECRET, algorithm="HS256"),
        jwt.encode(claims(aud=None), SECRET, algorithm="HS256"),
        jwt.encode(claims(exp=None), SECRET, algorithm="HS256"),
        jwt.encode(claims(iat=None), SECRET, algorithm="HS256"),
        jwt.encode(claims(sub=None), SECRET, algorithm="HS256"),
        jwt.encode(claims(tenant=None), SECRET, algorithm="HS256"),
        jwt.encode(claims(tenant=""), SECRET, algorithm="HS256"),
        jwt.encode(claims(scopes="*:*"), SECRET, algorithm="HS256"),
        jwt.encode(claims(exp="soon"), SECRET, algorithm="HS256"),
    ],
)
def test_everything_but_a_whole_token_of_this_mesh_is_refused(token: str) -> None:
    with pytest.raises(InvalidCredentials):
        SignedIdentity([SECRET], Clock()).verify(token)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        TokenSigner("short", "gateway")


async def test_no_token_is_no_identity() -> None:
    assert await SignedIdentity([SECRET]).authenticate(Credentials({})) is None
    with pytest.raises(InvalidCredentials):
        await demand(FirstOf([SignedIdentity([SECRET])]), Credentials({}))


async def test_the_first_way_that_fits_decides() -> None:
    clock = Clock()
    ways = FirstOf([PeerIdentity({"gateway"}), SignedIdentity([SECRET], clock)])
    token = TokenSigner(SECRET, "gateway", clock).sign(ANN)
    assert await ways.authenticate(Credentials({IDENTITY: token})) == ANN
    bob = Identity("user:bob", "other", frozenset())
    forwarded = dict(PeerForwarder().pairs(bob)) | {IDENTITY: token}
    assert await ways.authenticate(Credentials(forwarded, peer=("gateway",))) == bob
    assert await ways.authenticate(Credentials(forwarded, peer=("stranger",))) == ANN


@pytest.mark.parametrize("value", ["%%%", "bm90IGpzb24=", "e30=", "bnVsbA=="])
async def test_a_forwarded_identity_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(InvalidCredentials):
        await PeerIdentity({"gateway"}).authenticate(Credentials({FORWARDED_IDENTITY: value}, peer=("gateway",)))
