"""The probe of a kubelet: it asks a running service, over TLS where that is on, and tells by its exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from mesh.server import ServerConfig
from mesh.testing import mesh_of
from tests.integration.mesh.certificates import Authority
from tests.integration.mesh.kinds import SERVICE, Kinds, add_kinds


async def probe(*arguments: str, **environment: str) -> tuple[int | None, str]:
    """Run the probe as a kubelet does and return its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mesh.probe",
        *arguments,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode().strip()


async def test_a_service_that_serves_is_well_and_one_that_is_unknown_is_not() -> None:
    async with mesh_of({add_kinds: Kinds()}) as mesh:
        answers = [
            await probe("kinds", *names, ALTIPLANO_KINDS_BIND=mesh.address) for names in ([], [SERVICE], ["a.Stranger"])
        ]
    assert answers == [(0, ""), (0, ""), (1, "probe: NOT_FOUND")]


async def test_the_services_own_files_prove_the_probe_over_mutual_tls(tmp_path: Path) -> None:
    tls = Authority(tmp_path, "ca").issue("kinds")
    files = {"CERTIFICATE": tls.certificate, "KEY": tls.key, "CA": tls.ca}
    shown = {f"ALTIPLANO_KINDS_TLS_{name}": str(path) for name, path in files.items()}
    async with mesh_of({add_kinds: Kinds()}, config=ServerConfig(drain_grace_s=0.0, tls=tls)) as mesh:
        port = mesh.address.rpartition(":")[2]
        well = await probe("kinds", ALTIPLANO_KINDS_BIND=f"0.0.0.0:{port}", **shown)
        plain = await probe("kinds", ALTIPLANO_KINDS_BIND=mesh.address)
    assert well == (0, "")
    assert plain == (1, "probe: UNAVAILABLE")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: python -m mesh.probe SERVICE [GRPC_SERVICE]"),
        (["kinds"], "probe: ALTIPLANO_KINDS_BIND"),
    ],
)
async def test_settings_that_cant_work_end_with_2(arguments: list[str], said: str) -> None:
    code, words = await probe(*arguments)
    assert (code, words.startswith(said)) == (2, True)
