"""The service as a whole: its process, its tenants, its databases, its real embedder."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from llamastack.memory.v1 import bank_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError, load
from mesh.errors import BackendUnavailable, ResourceNotFound
from mesh.identity import Identity, acting_as
from mesh.migrations import differences
from mesh.server import Attachments
from services.memory.config import MemoryConfig
from services.memory.edge_store import EdgeStore
from services.memory.tables import METADATA
from tests.integration.memory.serving import INSERTED, UPDATED, document, refused, serving


async def test_tenants_see_their_own_banks_alone(tmp_path: Path) -> None:
    auth = AuthConfig(mesh_secrets=("s" * 32,))
    companion = auth.companion("test")
    assert companion is not None
    tenants = [Identity("user:ann", "acme", frozenset({"*:*"})), Identity("user:bob", "bolt", frozenset({"*:*"}))]
    attachments = Attachments(authenticator=auth.services())
    async with serving(
        EdgeStore(tmp_path / "banks"),
        f"sqlite:///{tmp_path}/memory.db",
        attachments=attachments,
        client=Client(ClientConfig(), [companion]),
    ) as served:
        for tenant in tenants:
            with acting_as(tenant):
                await served.create("pets", "keyword")
                await served.insert("pets", document("cat", f"The cat of {tenant.tenant}."))
        with acting_as(tenants[0]):
            assert [chunk.content for chunk in (await served.query("pets", "cat")).chunks] == ["The cat of acme."]
            await served.stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="pets"))
            assert isinstance(await refused(served.query("pets", "cat")), ResourceNotFound)
        with acting_as(tenants[1]):
            assert [chunk.content for chunk in (await served.query("pets", "cat")).chunks] == ["The cat of bolt."]


async def test_postgresql_keeps_the_same_state(postgres_url: str, tmp_path: Path) -> None:
    async with serving(EdgeStore(tmp_path / "banks"), postgres_url) as served:
        assert await differences(served.storage, METADATA) == []
        await served.create("pets", "hybrid")
        cat = document("cat", "The cat sleeps on the roof.", legs=4)
        assert (await served.insert("pets", cat))[0].outcome == INSERTED
        race = [served.insert("pets", document("dog", f"Dog number {number}"), replace=True) for number in range(3)]
        outcomes = [(await each)[0].outcome for each in asyncio.as_completed(race)]
        assert sorted(outcomes) == [INSERTED, UPDATED, UPDATED]
        assert len((await served.query("pets", "dog number")).chunks) == 2
        assert await served.documents.leftovers(served.clock[0]) == []
        listed = await served.stub.ListMemoryBanks(bank_pb2.ListMemoryBanksRequest())
        assert [(bank.document_count, bank.chunk_count) for bank in listed.memory_banks] == [(2, 2)]


async def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    async with serving(EdgeStore(tmp_path / "banks"), f"sqlite:///{tmp_path}/memory.db") as served:
        assert await differences(served.storage, METADATA) == []


async def test_a_bank_that_is_open_in_another_process_is_busy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/memory.db"
    async with (
        serving(EdgeStore(tmp_path / "banks"), url) as first,
        serving(EdgeStore(tmp_path / "banks"), url) as second,
    ):
        await first.create("pets", "keyword")
        error = await refused(second.query("pets", "cat"))
        assert (error.code.name, error.message) == ("ABORTED", "the memory bank is open in another process")


async def test_the_process_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    socket = f"unix:{tmp_path}/memory.sock"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.memory"),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ALTIPLANO_MEMORY_BIND": socket,
            "ALTIPLANO_MEMORY_DATA": str(tmp_path / "data"),
            "ALTIPLANO_INFERENCE_ADDRESS": f"unix:{tmp_path}/none.sock",
        },
    )
    try:
        async with Client(ClientConfig()) as client, asyncio.timeout(60):
            channel = client.channel(socket)
            health: Any = HealthStub(channel)
            request = HealthCheckRequest(service="llamastack.memory.v1.MemoryBanksService")
            answer = await health.Check(request, wait_for_ready=True)
            assert answer.status == HealthCheckResponse.SERVING
            stub = MemoryBanksServiceStub(channel)
            keyword = bank_pb2.MemoryBankConfig(keyword=bank_pb2.KeywordBankConfig())
            await stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_name="words", config=keyword))
            error = await refused(
                stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_name="vectors"), timeout=5)
            )
            assert isinstance(error, BackendUnavailable)
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert (tmp_path / "data" / "memory.db").exists()


def test_several_replicas_need_a_server_for_their_chunks() -> None:
    environment = {"ALTIPLANO_MEMORY_REPLICAS": "2", "ALTIPLANO_MEMORY_DATABASE_URL": "postgresql://db/x"}
    with pytest.raises(ConfigError, match="several replicas need a Qdrant server"):
        load(MemoryConfig, environment, service="memory")
