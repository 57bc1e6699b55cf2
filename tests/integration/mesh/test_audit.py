"""The audit log over real calls: changes and refusals are in it, reads and contents are not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from llamastack.memory.v1 import bank_pb2, document_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import (
    MemoryBanksServiceServicer,
    MemoryBanksServiceStub,
    add_MemoryBanksServiceServicer_to_server,
)
from mesh.audit import AuditConfig
from mesh.auth.config import AuthConfig
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError
from mesh.errors import ResourceNotFound
from mesh.identity import Identity, acting_as
from mesh.metadata import passing_on
from mesh.server import AddToServer, Attachments, ServerConfig
from mesh.testing import Mesh, mesh_of

AUTH = AuthConfig(mesh_secrets=("s" * 32,))
ANN = Identity("user:ann", "acme", frozenset({"memory:*"}))
READER = Identity("user:eve", "acme", frozenset({"memory:read"}))
BANKS = "llamastack.memory.v1.MemoryBanksService"


class Banks(MemoryBanksServiceServicer):
    """Knows one bank."""

    async def CreateMemoryBank(self, request: Any, context: Any) -> bank_pb2.CreateMemoryBankResponse:
        return bank_pb2.CreateMemoryBankResponse(bank_id="made")

    async def GetMemoryBank(self, request: Any, context: Any) -> bank_pb2.MemoryBank:
        return bank_pb2.MemoryBank(memory_bank_id=request.bank_id)

    async def DropMemoryBank(self, request: Any, context: Any) -> bank_pb2.DropMemoryBankResponse:
        raise ResourceNotFound("memory bank", request.bank_id)

    async def StreamInsertDocuments(self, request: Any, context: Any) -> AsyncIterator[document_pb2.DocumentProgress]:
        yield document_pb2.DocumentProgress(index=0)


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    companion = AUTH.companion("test")
    assert companion is not None
    config = ServerConfig(drain_grace_s=0, audit=AuditConfig(str(tmp_path / "audit.log")))
    banks = Banks()  # type: ignore[abstract]  # the other RPCs are left out on purpose
    attachments = Attachments(authenticator=AUTH.services())
    client = Client(ClientConfig(), [companion])
    services: dict[AddToServer, Any] = {add_MemoryBanksServiceServicer_to_server: banks}
    async with mesh_of(services, config=config, attachments=attachments, client=client) as running:
        yield running


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return what was recorded, without the times."""
    found = [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]
    return [{name: value for name, value in entry.items() if name != "time"} for entry in found if entry["time"]]


async def test_changes_are_recorded_with_who_what_and_how_they_ended(mesh: Mesh, tmp_path: Path) -> None:
    stub: Any = mesh.stub(MemoryBanksServiceStub)
    document = document_pb2.MemoryBankDocument(
        document_id="d", content=document_pb2.DocumentContent(encoded="the content")
    )
    with acting_as(ANN), passing_on({"x-request-id": "r1"}):
        await stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_name="the name"))
        await stub.GetMemoryBank(bank_pb2.GetMemoryBankRequest(bank_id="b"))
        async for _ in stub.StreamInsertDocuments(
            document_pb2.InsertDocumentsRequest(bank_id="b", documents=[document])
        ):
            pass
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="b"))
    who = {"subject": "user:ann", "tenant": "acme", "request_id": "r1"}
    gone = {"code": "NOT_FOUND", "reason": "RESOURCE_NOT_FOUND"}
    assert entries(tmp_path) == [
        {"method": f"{BANKS}/CreateMemoryBank", "code": "OK", **who, "resources": {"bank_id": ["made"]}},
        {"method": f"{BANKS}/StreamInsertDocuments", "code": "OK", **who, "resources": {"bank_id": ["b"]}},
        {"method": f"{BANKS}/DropMemoryBank", **gone, **who, "resources": {"bank_id": ["b"]}},
    ]


async def test_those_who_are_turned_away_are_recorded_for_reads_too(mesh: Mesh, tmp_path: Path) -> None:
    stub: Any = mesh.stub(MemoryBanksServiceStub)
    with acting_as(READER), passing_on({"x-request-id": "r2"}), pytest.raises(grpc.aio.AioRpcError):
        await stub.DropMemoryBank(bank_pb2.DropMemoryBankRequest(bank_id="b"))
    with passing_on({"x-request-id": "r3"}), pytest.raises(grpc.aio.AioRpcError):
        await stub.GetMemoryBank(bank_pb2.GetMemoryBankRequest(bank_id="b"), metadata=(("x-api-key", "alp_wrong"),))
    denied, unknown = entries(tmp_path)
    assert unknown.pop("peer").startswith("ipv4:127.0.0.1:")
    who = {"subject": "user:eve", "tenant": "acme", "request_id": "r2"}
    assert denied == {
        "method": f"{BANKS}/DropMemoryBank",
        "code": "PERMISSION_DENIED",
        "reason": "MISSING_SCOPE",
        **who,
    }
    assert unknown == {
        "method": f"{BANKS}/GetMemoryBank",
        "code": "UNAUTHENTICATED",
        "reason": "INVALID_CREDENTIALS",
        "request_id": "r3",
    }


async def test_a_log_that_was_moved_away_is_opened_anew(mesh: Mesh, tmp_path: Path) -> None:
    stub: Any = mesh.stub(MemoryBanksServiceStub)
    for name in ("first", "second"):
        with acting_as(ANN):
            await stub.CreateMemoryBank(bank_pb2.CreateMemoryBankRequest(bank_name="x"))
        assert len(entries(tmp_path)) == 1
        (tmp_path / "audit.log").rename(tmp_path / name)


def test_without_authentication_there_is_no_log_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert AuditConfig().open(authenticated=False) is None
    assert AuditConfig().open(authenticated=True) is not None
    assert AuditConfig("off").open(authenticated=True) is None
    with pytest.raises(ConfigError, match="AUDIT_LOG: the file can't be written"):
        AuditConfig(str(tmp_path / "none" / "audit.log")).open(authenticated=True)
