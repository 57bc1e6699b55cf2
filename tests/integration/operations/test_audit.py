"""What ``make audit`` says of the locked packages, asked of a database on loopback that speaks OSV's protocol."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-k8s/bin/python"
PROGRAM = """
import sys
from pathlib import Path
from tools.k8s.audit import audit
sys.exit(audit(sorted(Path(sys.argv[1]).glob("*.lock")), sys.argv[2:]))
"""
KNOWN = {("pyyaml", "5.3"): "OLD-1"}

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="`make check` has not made the environment of the tools")


@contextmanager
def database(known: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Run a database for the time of the block; yield where it is asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(entry(asked["package"]["name"], asked["version"])).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    def entry(name: str, version: str) -> dict[str, Any]:
        if (name, version) not in known:
            return {}
        events = [{"introduced": "0"}, {"fixed": "9.9"}]
        affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        return {"vulns": [{"id": known[name, version], "summary": "bad", "affected": [affected]}]}

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def audited(folder: Path, url: str) -> tuple[int, list[str]]:
    """Audit two small images; return the exit code and the lines."""
    (folder / "gateway.lock").write_text("orjson==3.11.0\ntyping_extensions==4.1\n")
    (folder / "eval.lock").write_text("orjson==3.10.0\ntorch==2.13.0+cpu\ntyping-extensions==4.1\n")
    command = [PYTHON, "-c", PROGRAM, folder, "--vulnerability-service", "osv", "--osv-url", url]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout.splitlines()


def test_packages_without_a_known_weakness_pass(tmp_path: Path) -> None:
    with database(KNOWN) as url:
        assert audited(tmp_path, url) == (0, ["audit: 4 versions in 2 images, 0 problems"])


def test_a_known_weakness_is_told_with_the_images_that_have_it(tmp_path: Path) -> None:
    weak = {("torch", "2.13.0"): "GPU-1", ("orjson", "3.10.0"): "JSON-1", ("typing-extensions", "4.1"): "T-1"}
    with database(KNOWN | weak) as url:
        assert audited(tmp_path, url) == (
            1,
            [
                "orjson 3.10.0 in eval: JSON-1, remedied by 9.9",
                "torch 2.13.0 in eval: GPU-1, remedied by 9.9",
                "typing-extensions 4.1 in eval, gateway: T-1, remedied by 9.9",
                "audit: 4 versions in 2 images, 3 problems",
            ],
        )


def test_a_database_that_knows_nothing_proves_nothing(tmp_path: Path) -> None:
    with database({}) as url:
        code, (line,) = audited(tmp_path, url)
    assert code == 1
    assert line.startswith(
        "audit: nothing was looked up, the database can't be asked (it knows nothing against pyyaml=="
    )


def test_a_database_out_of_reach_is_told_in_a_line_with_another_way(tmp_path: Path) -> None:
    with database({}) as url:
        pass
    code, (line,) = audited(tmp_path, url)
    assert code == 1
    assert line.startswith("audit: nothing was looked up, the database can't be asked (")
    assert line.endswith("`make audit ARGS='--vulnerability-service osv --osv-url URL'` asks a mirror of OSV instead")
