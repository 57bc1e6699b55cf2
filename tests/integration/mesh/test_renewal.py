"""Certificates are renewed under running servers and clients."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509

from mesh.client import Client, ClientConfig
from mesh.credentials import TlsConfig
from mesh.renewal import LOOK_S, Renewal, RenewedChannel
from mesh.server import ServerConfig
from mesh.testing import mesh_of
from tests.integration.mesh.certificates import Authority
from tests.integration.mesh.kinds import NAMES, Kinds, add_kinds, call, request


async def shown(address: str, tls: TlsConfig) -> int:
    """Return the serial number of the certificate that a server shows to a new connection."""
    context = ssl.create_default_context(cafile=tls.ca)
    assert tls.certificate is not None
    context.load_cert_chain(tls.certificate, tls.key)
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return x509.load_der_x509_certificate(der).serial_number


def serial(tls: TlsConfig) -> int:
    assert tls.certificate is not None
    return x509.load_pem_x509_certificate(tls.certificate.read_bytes()).serial_number


async def test_a_server_shows_renewed_certificates_and_keeps_its_connections(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("inference")
    client = Client(ClientConfig(tls=authority.issue("gateway")))
    async with mesh_of({add_kinds: Kinds()}, config=ServerConfig(tls=tls, drain_grace_s=0), client=client) as mesh:
        before = serial(tls)
        assert await call(mesh.channel, "UnaryUnary", request("a")) == "a"
        assert await shown(mesh.address, tls) == before
        renewed = authority.issue("inference")
        assert serial(renewed) != before
        assert await shown(mesh.address, tls) == serial(renewed)
        assert await call(mesh.channel, "UnaryUnary", request("b")) == "b"


async def test_a_server_keeps_its_pair_while_only_half_of_the_next_is_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("inference")
    assert tls.key is not None
    async with mesh_of({add_kinds: Kinds()}, config=ServerConfig(tls=tls, drain_grace_s=0)) as mesh:
        caller = authority.issue("gateway")
        # what the server is asked by has to stay a pair of its own
        before, key = await shown(mesh.address, caller), tls.key.read_bytes()
        renewed = authority.issue("inference")
        whole = tls.key.read_bytes()
        tls.key.write_bytes(key)
        assert await shown(mesh.address, caller) == before
        tls.key.write_bytes(whole)
        assert await shown(mesh.address, caller) == serial(renewed)


@pytest.mark.parametrize("kind", NAMES)
async def test_a_client_calls_with_its_renewed_certificate(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other", "other")
    stranger = replace(foreign.issue("gateway"), ca=authority.file)
    server = ServerConfig(tls=authority.issue("inference"), drain_grace_s=0)
    clock = [0.0]
    async with mesh_of({add_kinds: Kinds()}, config=server) as mesh:

        def make() -> grpc.aio.Channel:
            credentials = stranger.channel()
            assert credentials is not None
            return grpc.aio.secure_channel(mesh.address, credentials)

        async with RenewedChannel(make(), Renewal(stranger.files, make), lambda: clock[0]) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await call(channel, kind, request("a"), timeout=5)
            trusted = authority.issue("gateway")
            for new, old in zip((trusted.certificate, trusted.key), (stranger.certificate, stranger.key), strict=True):
                assert new is not None
                assert old is not None
                old.write_bytes(new.read_bytes())
            clock[0] += LOOK_S
            assert await call(channel, kind, request("b")) == "b"


async def test_a_call_under_way_outlives_the_renewal(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("gateway")
    entered, leave = asyncio.Event(), asyncio.Event()

    async def wait(requests: list[object]) -> None:
        if not leave.is_set():
            entered.set()
            await leave.wait()

    server = ServerConfig(tls=authority.issue("inference"), drain_grace_s=0)
    clock = [0.0]
    async with mesh_of({add_kinds: Kinds(wait)}, config=server) as mesh:  # type: ignore[arg-type]  # reads nothing

        def make() -> grpc.aio.Channel:
            credentials = tls.channel()
            assert credentials is not None
            return grpc.aio.secure_channel(mesh.address, credentials)

        async with RenewedChannel(make(), Renewal(tls.files, make), lambda: clock[0]) as channel:
            slow = asyncio.create_task(call(channel, "UnaryStream", request("slow")))
            async with asyncio.timeout(10):
                await entered.wait()
            first = channel.current()
            authority.issue("gateway")
            clock[0] += LOOK_S
            assert channel.current() is not first
            leave.set()
            assert await call(channel, "UnaryUnary", request("b")) == "b"
            assert await slow == "slow"


def test_clients_of_services_renew(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("gateway")

    async def kinds() -> tuple[str, str]:
        async with Client(ClientConfig(tls=tls)) as secure, Client(ClientConfig()) as plain:
            inner = [type(client.channel("x:1")._inner).__name__ for client in (secure, plain)]  # type: ignore[attr-defined]
        return inner[0], inner[1]

    assert asyncio.run(kinds()) == ("RenewedChannel", "Channel")
