"""Artifacts and traces over REST, as a browser and a script get them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.conformance.serving import gateway
from tests.integration.eval.record import MIB, recording

pytestmark = pytest.mark.timeout(120)


async def test_a_browser_opens_a_report_and_gets_files_under_their_names(tmp_path: Path) -> None:
    page = "<!doctype html><script>alert(1)</script><p>größer</p>".encode()
    table = bytes(range(256)) * 8 * 1024
    async with (
        recording(tmp_path) as record,
        gateway(record.mesh.address, areas=("observability",)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client,
    ):
        made = await record.experiment()
        report = await record.upload(made.id, "report.html", page)
        rows = await record.upload(made.id, "Größe.parquet", table, mime_type="application/vnd.apache.parquet")
        shown = await client.get("/artifacts/download", params={"artifact_id": report.id})
        saved = await client.get("/artifacts/download", params={"artifact_id": rows.id})
        rest = await client.get("/artifacts/download", params={"artifact_id": rows.id, "offset": MIB})
        pieces = await client.get("/artifacts/pieces", params={"artifact_id": rows.id})
        gone = await client.get("/artifacts/download", params={"artifact_id": "none"})
    assert (shown.status_code, shown.content) == (200, page)
    assert shown.headers["content-type"] == 'text/html; charset="utf-8"'
    assert shown.headers["content-disposition"] == "inline; filename*=UTF-8''report.html"
    assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert (saved.content, rest.content) == (table, table[MIB:])
    assert saved.headers["content-disposition"] == "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe.parquet"
    assert [int(json.loads(line)["size"]) for line in pieces.text.splitlines()] == [len(table)] * 2
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_trace_is_stored_and_found_by_session(tmp_path: Path) -> None:
    span = {
        "trace_id": "1" * 32,
        "span_id": "2" * 16,
        "name": "chat llama",
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:00:01Z",
        "session_id": "s",
        "attributes": {"gen_ai.usage.input_tokens": 7},
    }
    async with (
        recording(tmp_path) as record,
        gateway(record.mesh.address, areas=("observability",)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client,
    ):
        stored = await client.post("/traces/log_spans", json={"spans": [span]})
        foreign = await client.post("/traces/log_spans", json={"spans": [{**span, "run_id": "theirs"}]})
        found = await client.get("/traces/get_spans", params={"session_id": "s"})
        none = await client.get("/traces/get_spans", params={"session_id": "t"})
    assert (stored.status_code, foreign.status_code, none.text) == (200, 404, "")
    [line] = found.text.splitlines()
    assert {name: value for name, value in json.loads(line).items() if name in span} == span
