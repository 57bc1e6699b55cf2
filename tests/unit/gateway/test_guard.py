"""The gateway records whom it turns away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.app import load_contract
from gateway.exchange import Exchange
from gateway.guard import Guard
from mesh.audit import AuditConfig
from mesh.auth.apikeys import ApiKey, ApiKeys, digest
from mesh.errors import InvalidCredentials, MissingScope
from mesh.identity import Identity

PATH = "/llamastack.memory.v1.MemoryBanksService/GetMemoryBank"


def exchange(key: str) -> Exchange:
    headers = {b"x-api-key": key.encode(), b"x-request-id": b"r1"}
    nobody: Any = None
    return Exchange(("GET", "/", b"", headers, ("192.0.2.1", 5)), nobody)


async def test_refusals_are_recorded_and_admissions_are_not(tmp_path: Path) -> None:
    known = [
        ApiKey(Identity("key:reader", "acme", frozenset({"memory:read"})), digest("alp_reader")),
        ApiKey(Identity("key:other", "acme", frozenset({"models:read"})), digest("alp_other")),
    ]
    log = AuditConfig(str(tmp_path / "audit.log")).open(authenticated=True)
    assert log is not None
    guard, rpc = Guard(ApiKeys(known), log), load_contract().rpcs[PATH]
    assert (await guard.admit(exchange("alp_reader"), rpc)).subject == "key:reader"
    with pytest.raises(MissingScope):
        await guard.admit(exchange("alp_other"), rpc)
    with pytest.raises(InvalidCredentials):
        await guard.admit(exchange("alp_unknown"), rpc)
    log.close()
    found = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert [{name: value for name, value in entry.items() if name != "time"} for entry in found] == [
        {
            "method": PATH[1:],
            "code": "PERMISSION_DENIED",
            "reason": "MISSING_SCOPE",
            "subject": "key:other",
            "request_id": "r1",
        },
        {
            "method": PATH[1:],
            "code": "UNAUTHENTICATED",
            "reason": "INVALID_CREDENTIALS",
            "peer": "192.0.2.1",
            "request_id": "r1",
        },
    ]
