"""Authentication between services: who may call what, and whose identity arrives at the end of a chain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from llamastack.inference.v1.inference_pb2 import CompletionRequest
from mesh.auth.apikeys import digest
from mesh.auth.authenticator import Credentials
from mesh.auth.config import AuthConfig
from mesh.channel import Companion
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError, load
from mesh.errors import InvalidCredentials, MissingScope, from_rpc, to_status
from mesh.identity import Identity, acting_as, current
from mesh.server import Attachments, ServerConfig
from mesh.testing import Mesh, mesh_of
from tests.integration.mesh.certificates import Authority
from tests.integration.mesh.health import health_of
from tests.integration.mesh.kinds import NAMES, SERVICE, Kinds, add_kinds, call, request

CONFIG = AuthConfig(mesh_secrets=("s" * 32,))
USER = Identity("user:ann", "acme", frozenset({"kinds:use"}))
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

every_kind = pytest.mark.parametrize("kind", NAMES)


def companions(config: AuthConfig, own: Identity | None = None) -> Sequence[Companion]:
    companion = config.companion("test", own)
    assert companion is not None
    return [companion]


def guarded(config: AuthConfig = CONFIG) -> Attachments:
    return Attachments(authenticator=config.services())


class Witness:
    """A behaviour that remembers who called."""

    def __init__(self) -> None:
        self.seen: list[Identity] = []

    async def __call__(self, requests: list[CompletionRequest]) -> None:
        self.seen.append(current())


async def refusal(mesh: Mesh, kind: str, **options: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call(mesh.channel, kind, request("m"), **options)
    return failure.value


@every_kind
async def test_without_an_identity_nothing_is_served(kind: str) -> None:
    witness = Witness()
    async with mesh_of({add_kinds: Kinds(witness)}, attachments=guarded()) as mesh:
        error = from_rpc(await refusal(mesh, kind))
    assert to_status(error) == to_status(InvalidCredentials())
    assert witness.seen == []


@every_kind
async def test_the_scope_of_the_contract_is_demanded(kind: str) -> None:
    async with mesh_of(
        {add_kinds: Kinds()}, attachments=guarded(), client=Client(ClientConfig(), companions(CONFIG))
    ) as mesh:
        with acting_as(replace(USER, scopes=frozenset({"kinds:read", "inference:use"}))):
            error = from_rpc(await refusal(mesh, kind))
        assert to_status(error) == to_status(MissingScope("kinds:use"))
        for scope in ("kinds:use", "kinds:*", "*:use", "*:*"):
            with acting_as(replace(USER, scopes=frozenset({scope}))):
                assert await call(mesh.channel, kind, request("m")) == "m"


@every_kind
async def test_the_identity_arrives_at_the_end_of_a_chain(kind: str) -> None:
    witness = Witness()
    outgoing = companions(CONFIG)
    async with (
        mesh_of({add_kinds: Kinds(witness)}, attachments=guarded()) as last,
        Client(ClientConfig(), outgoing) as between,
    ):

        async def forward(requests: list[CompletionRequest]) -> None:
            await call(between.channel(last.address), kind, *requests)

        client = Client(ClientConfig(), outgoing)
        async with mesh_of({add_kinds: Kinds(forward)}, attachments=guarded(), client=client) as first:
            with acting_as(USER):
                await call(first.channel, kind, request("m"))
    assert witness.seen == [USER]


async def test_a_service_calls_in_its_own_name_only_where_nobody_else_is_acting() -> None:
    witness = Witness()
    own = Identity("service:agents", "mesh", frozenset({"kinds:*"}))
    client = Client(ClientConfig(), companions(CONFIG, own))
    async with mesh_of({add_kinds: Kinds(witness)}, attachments=guarded(), client=client) as mesh:
        await call(mesh.channel, "UnaryUnary", request("m"))
        with acting_as(USER):
            await call(mesh.channel, "UnaryUnary", request("m"))
    assert witness.seen == [own, USER]


async def test_an_identity_signed_with_another_secret_is_refused() -> None:
    other = companions(AuthConfig(mesh_secrets=("o" * 32,)))
    async with mesh_of({add_kinds: Kinds()}, attachments=guarded(), client=Client(ClientConfig(), other)) as mesh:
        with acting_as(USER):
            assert type(from_rpc(await refusal(mesh, "UnaryUnary"))) is InvalidCredentials


async def test_an_identity_that_is_only_claimed_is_refused() -> None:
    async with mesh_of({add_kinds: Kinds()}, attachments=guarded()) as mesh:
        for pairs in (
            (("x-llamastack-identity", "ann"),),
            (("x-llamastack-forwarded-identity", "e30="),),
            (("x-llamastack-tenant", "acme"),),
        ):
            assert type(from_rpc(await refusal(mesh, "UnaryUnary", metadata=pairs))) is InvalidCredentials


async def test_health_answers_anybody_and_reflection_anybody_with_an_identity() -> None:
    client = Client(ClientConfig(), companions(CONFIG))
    async with mesh_of({add_kinds: Kinds()}, attachments=guarded(), client=client) as mesh:
        assert await health_of(mesh.channel, SERVICE) == "SERVING"
        reflect: Any = mesh.channel.stream_stream(REFLECTION)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await anext(aiter(reflect(iter([b""]))))
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with acting_as(replace(USER, scopes=frozenset())):
            assert await anext(aiter(reflect(iter([b""])))) != b""


async def test_an_rpc_whose_contract_states_no_action_is_open_to_nobody() -> None:
    def add_unstated(servicer: Kinds, server: grpc.aio.Server) -> None:
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(servicer.one)
        generic = grpc.method_handlers_generic_handler("llamastack.secret.v1.Secret", {"Get": handler})
        server.add_generic_rpc_handlers((generic,))

    client = Client(ClientConfig(), companions(CONFIG))
    async with mesh_of({add_unstated: Kinds()}, attachments=guarded(), client=client) as mesh:
        get: Any = mesh.channel.unary_unary("/llamastack.secret.v1.Secret/Get")
        with acting_as(replace(USER, scopes=frozenset({"*:*"}))), pytest.raises(grpc.aio.AioRpcError) as failure:
            await get(b"")
    assert type(from_rpc(failure.value)) is MissingScope


async def test_a_service_takes_api_keys_from_callers_who_speak_grpc_themselves() -> None:
    key = {"name": "ci", "tenant": "acme", "sha256": digest("alp_key"), "scopes": ["kinds:use"]}
    config = AuthConfig(mesh_secrets=("s" * 32,), api_keys=json.dumps([key]))
    witness = Witness()
    async with mesh_of({add_kinds: Kinds(witness)}, attachments=guarded(config)) as mesh:
        await call(mesh.channel, "UnaryUnary", request("m"), metadata=(("x-api-key", "alp_key"),))
    assert witness.seen == [Identity("key:ci", "acme", frozenset({"kinds:use"}))]


async def test_mutual_tls_lets_trusted_services_forward_identities(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = AuthConfig(peers=("gateway",))
    witness = Witness()
    server = ServerConfig(tls=authority.issue("inference"), drain_grace_s=0)
    trusted = Client(ClientConfig(tls=authority.issue("gateway")), companions(config))
    async with mesh_of({add_kinds: Kinds(witness)}, config=server, attachments=guarded(config), client=trusted) as mesh:
        with acting_as(USER):
            await call(mesh.channel, "UnaryUnary", request("m"))
            # a service of the same CA that is not trusted to speak for others
            async with Client(ClientConfig(tls=authority.issue("stranger")), companions(config)) as stranger:
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await call(stranger.channel(mesh.address), "UnaryUnary", request("m"))
    assert type(from_rpc(failure.value)) is InvalidCredentials
    assert witness.seen == [USER]


async def test_mutual_tls_refuses_callers_without_a_certificate_of_the_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other", "other")
    server = ServerConfig(tls=authority.issue("inference"), drain_grace_s=0)
    tls = replace(foreign.issue("gateway"), ca=authority.file)
    for shown in (tls, replace(tls, certificate=None, key=None)):
        client = Client(ClientConfig(tls=shown, timeout_s=5))
        async with mesh_of({add_kinds: Kinds()}, config=server, client=client) as mesh:
            assert (await refusal(mesh, "UnaryUnary")).code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"ALTIPLANO_MESH_SECRET": "short"}, "ALTIPLANO_MESH_SECRET: at least 32 bytes are needed"),
        ({"ALTIPLANO_API_KEYS": "[]"}, "ALTIPLANO_MESH_SECRET .* is needed with API keys or tokens"),
        ({"ALTIPLANO_JWT_JWKS": "https://idp/jwks"}, "ALTIPLANO_JWT_ISSUER and ALTIPLANO_JWT_AUDIENCE are needed"),
        ({"ALTIPLANO_MESH_SECRET": "s" * 32, "ALTIPLANO_API_KEYS": "{"}, "not a JSON list"),
    ],
)
def test_a_configuration_with_a_hole_is_refused(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(AuthConfig, environ)


def test_authentication_is_off_until_it_is_configured() -> None:
    config = load(AuthConfig, {})
    assert (config.edge(), config.services(), config.companion("x")) == (None, None, None)


async def test_identities_signed_inside_are_not_accepted_from_outside() -> None:
    key = {"name": "ci", "tenant": "acme", "sha256": digest("alp_key"), "scopes": []}
    config = AuthConfig(mesh_secrets=("s" * 32,), api_keys=json.dumps([key]))
    edge, inside = config.edge(), config.companion("x")
    assert edge is not None
    assert inside is not None
    with acting_as(USER):
        pairs, _ = inside.outgoing("/any")
    assert await edge.authenticate(Credentials(dict(pairs))) is None  # type: ignore[arg-type]  # all values are text
