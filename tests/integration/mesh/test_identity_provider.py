"""Tokens of an identity provider that is known by its issuer alone, at a real service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import grpc.aio
import pytest

from llamastack.inference.v1.inference_pb2 import CompletionRequest
from mesh.auth.config import AuthConfig
from mesh.auth.jwts import JwtRules, Jwts
from mesh.auth.keyset import KeySet
from mesh.auth.provider import discovered
from mesh.config import ConfigError, load
from mesh.errors import BackendUnavailable, InvalidCredentials, from_rpc
from mesh.identity import Identity, current
from mesh.server import Attachments
from mesh.testing import Mesh, mesh_of
from tests.integration.mesh.kinds import Kinds, add_kinds, call, request
from tests.openid import KEYS, OPENID, Provider, provider

SECRET = "s" * 32
ANN = Identity("user:ann", "acme", frozenset({"kinds:use"}))


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider(path="/realm") as made:
        yield made


def token(idp: Provider, key: str = "k1", **claims: Any) -> str:
    usual = {"aud": "mesh", "sub": "ann", "tenant": "acme", "scope": "kinds:use", "exp": time.time() + 600}
    return idp.token(key, **usual | claims)


def attached(issuer: str, clock: Clock) -> Attachments:
    return Attachments(authenticator=Jwts(JwtRules(issuer, "mesh"), KeySet(discovered(issuer), clock)))


async def ask(mesh: Mesh, shown: str) -> None:
    await call(mesh.channel, "UnaryUnary", request("m"), metadata=(("authorization", f"Bearer {shown}"),))


async def refusal(mesh: Mesh, shown: str) -> type[Exception]:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await ask(mesh, shown)
    return type(from_rpc(failure.value))


async def test_the_issuer_and_the_audience_are_enough(idp: Provider) -> None:
    seen = []

    async def witness(requests: list[CompletionRequest]) -> None:
        seen.append(current())

    environ = {
        "ALTIPLANO_JWT_ISSUER": idp.issuer,
        "ALTIPLANO_JWT_AUDIENCE": "mesh",
        "ALTIPLANO_MESH_SECRET": SECRET,
    }
    attachments = Attachments(authenticator=load(AuthConfig, environ).services())
    async with mesh_of({add_kinds: Kinds(witness)}, attachments=attachments) as mesh:
        await ask(mesh, token(idp))
        assert [await refusal(mesh, token(idp, **wrong)) for wrong in ({"iss": "https://x"}, {"aud": "other"})] == [
            InvalidCredentials
        ] * 2
    assert seen == [ANN]
    # read when the server began, and not again for each call
    assert idp.asked == [f"/realm{OPENID}", KEYS]


async def test_a_key_set_that_is_named_is_read_instead_of_the_issuers(idp: Provider) -> None:
    base = idp.issuer.removesuffix("/realm")
    environ = {
        "ALTIPLANO_JWT_ISSUER": idp.issuer,
        "ALTIPLANO_JWT_AUDIENCE": "mesh",
        "ALTIPLANO_JWT_JWKS": f"{base}{KEYS}",
        "ALTIPLANO_MESH_SECRET": SECRET,
    }
    attachments = Attachments(authenticator=load(AuthConfig, environ).services())
    async with mesh_of({add_kinds: Kinds()}, attachments=attachments) as mesh:
        await ask(mesh, token(idp))
    assert idp.asked == [KEYS]


async def test_keys_that_the_provider_rotates_are_taken_up_and_given_up(idp: Provider) -> None:
    clock = Clock()
    async with mesh_of({add_kinds: Kinds()}, attachments=attached(idp.issuer, clock)) as mesh:
        old = [token(idp, sub=name) for name in ("ann", "bob")]
        await ask(mesh, old[0])
        idp.rotate("k1", "k2")
        clock.now += 31
        await ask(mesh, token(idp, "k2"))
        idp.rotate("k2")
        clock.now += 3601
        await ask(mesh, token(idp, "k2", sub="eve"))
        assert await refusal(mesh, old[1]) is InvalidCredentials


async def test_a_document_of_another_issuer_opens_nothing_and_says_so_in_the_log(
    idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    idp.documents[f"/realm{OPENID}"]["issuer"] = "https://other.example"
    async with mesh_of({add_kinds: Kinds()}, attachments=attached(idp.issuer, Clock())) as mesh:
        assert await refusal(mesh, token(idp)) is BackendUnavailable
    assert KEYS not in idp.asked
    assert [line for line in caplog.messages if "identity provider" in line] == [
        "the keys of the identity provider can't be read (0 known): "
        f"{idp.issuer}{OPENID} is of the issuer 'https://other.example', not of {idp.issuer!r}"
    ]


async def test_a_provider_that_was_away_at_the_start_is_found_when_it_is_there() -> None:
    clock = Clock()
    with provider() as gone:
        pass
    async with mesh_of({add_kinds: Kinds()}, attachments=attached(gone.issuer, clock)) as mesh:
        assert await refusal(mesh, token(gone)) is BackendUnavailable
        with provider(urlsplit(gone.issuer).port or 0) as idp:
            clock.now += 2
            await ask(mesh, token(idp))


async def test_a_provider_that_goes_away_is_believed_on_until_it_is_back() -> None:
    clock = Clock()
    with provider() as first:
        attachments = attached(first.issuer, clock)
        async with mesh_of({add_kinds: Kinds()}, attachments=attachments) as mesh:
            await ask(mesh, token(first))
            port = urlsplit(first.issuer).port or 0
            first.documents = dict.fromkeys(first.documents, 503)
            clock.now += 3601
            await ask(mesh, token(first, sub="bob"))
            first.signing |= {"k2": first.signing["k1"]}
            assert await refusal(mesh, token(first, "k2")) is BackendUnavailable
            first.documents = {OPENID: {"issuer": first.issuer, "jwks_uri": f"http://127.0.0.1:{port}{KEYS}"}}
            first.rotate("k2")
            clock.now += 2
            await ask(mesh, token(first, "k2"))
            # what the provider has withdrawn meanwhile is withdrawn
            first.signing["k1"] = first.signing["k2"]
            assert await refusal(mesh, token(first, "k1", sub="eve")) is InvalidCredentials


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"ALTIPLANO_JWT_ISSUER": "https://id.example"}, "ALTIPLANO_JWT_AUDIENCE is needed with it"),
        (
            {"ALTIPLANO_JWT_ISSUER": "http://id.example", "ALTIPLANO_JWT_AUDIENCE": "mesh"},
            "ALTIPLANO_JWT_ISSUER: without ALTIPLANO_JWT_JWKS an https URL .* is needed",
        ),
        (
            {"ALTIPLANO_JWT_ISSUER": "https://id.example", "ALTIPLANO_JWT_AUDIENCE": "mesh"},
            "ALTIPLANO_MESH_SECRET .* is needed with API keys or tokens",
        ),
    ],
)
def test_an_issuer_that_cannot_work_is_refused_at_once(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(AuthConfig, environ)
