"""Models by ``s3://`` and ``hf://``, from a host on loopback through the real clients."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from services.inference.sources import CHUNK_BYTES
from tests.integration.inference import model_site
from tests.integration.inference.model_site import BUCKET, REPOSITORY, ModelSite

ROOT = Path(__file__).resolve().parents[3]
SOURCES = {"s3": f"s3://{BUCKET}/tiny", "hf": f"hf://{REPOSITORY}"}
WEIGHTS = bytes(range(256)) * (12 << 12)
FILES = {"config.json": b"{}", "readme.md": b"no", "deep/model.safetensors": WEIGHTS}
TOTAL = len(WEIGHTS) + 2
CUT = 9 << 20


async def fetched(source: str, cache: Path, address: str) -> dict[str, Any]:
    """Return how a fetch by a process of its own ended."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "HF_ENDPOINT": address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(cache / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
    }
    command = [sys.executable, str(Path(__file__).with_name("fetching.py")), source, str(cache)]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, err.decode()
    ended: dict[str, Any] = json.loads(out)
    return ended


@pytest.mark.parametrize("scheme", SOURCES)
async def test_a_model_is_fetched_with_progress_and_one_that_was_cut_goes_on(scheme: str, tmp_path: Path) -> None:
    async with model_site.running(ModelSite(FILES, cut_after=CUT)) as site:
        cut = await fetched(SOURCES[scheme], tmp_path, site.address)
        have = await asyncio.to_thread(lambda: next(tmp_path.rglob("*.part")).stat().st_size)
        site.cut_after = None
        site.ranges.clear()
        whole = await fetched(SOURCES[scheme], tmp_path, site.address)
        again = await fetched(SOURCES[scheme], tmp_path, site.address)
    assert cut["error"] == "BackendUnavailable"
    assert cut["message"] == f"fetching deep/model.safetensors was cut after {have} bytes"
    assert have == CHUNK_BYTES
    assert {first for name, first in site.ranges if name != "config.json"} >= {have}
    assert min(first for name, first in site.ranges if name != "config.json") == have
    assert whole["progress"] == [["config.json", 2, TOTAL], ["deep/model.safetensors", TOTAL, TOTAL]]
    folder = Path(whole["folder"])
    assert again["folder"] == str(folder)
    assert (folder / "deep/model.safetensors").read_bytes() == WEIGHTS
    assert not (folder / "readme.md").exists()


@pytest.mark.parametrize("scheme", SOURCES)
async def test_a_model_that_is_not_there_is_not_found(scheme: str, tmp_path: Path) -> None:
    async with model_site.running(ModelSite(FILES)) as site:
        ended = await fetched(f"{SOURCES[scheme]}-other", tmp_path, site.address)
    assert ended["error"] == "ResourceNotFound"


@pytest.mark.parametrize("scheme", SOURCES)
async def test_a_host_that_is_away_is_unavailable(scheme: str, tmp_path: Path) -> None:
    async with model_site.running(ModelSite(FILES)) as site:
        pass
    ended = await fetched(SOURCES[scheme], tmp_path, site.address)
    assert ended == {"error": "BackendUnavailable", "message": "the model source can't be reached", "progress": []}
