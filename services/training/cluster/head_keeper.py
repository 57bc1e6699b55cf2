"""Keeps a Ray head on this machine: ``python -m services.training.cluster.head_keeper FOLDER CPUS IDLE_SECONDS``.

It is a process of its own so that the head and its jobs outlive the death of the service, which then finds them again
by ``head.json`` in the folder. It ends the head and everything in it when it is told to (SIGTERM), when the head has
lost a part, or when nobody has touched ``lease`` in the folder for the idle time. The head listens on loopback alone
and takes nobody without the token. This module does not import Ray.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

from services.training.cluster import processes

HEAD: Final = "head.json"
LEASE: Final = "lease"
LOCK: Final = "keeper.lock"
START_S: Final = 180.0
# sockets lie some 60 characters below the folder, and their paths have 107 at most
_LONGEST: Final = 40
_OBJECT_STORE_BYTES: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class Head:
    """A head that answers: where its jobs are submitted, with what token, and who keeps it."""

    address: str
    token: str
    keeper: int
    folder: str


def read(folder: Path) -> Head | None:
    """Return the head that a folder tells of, None if it tells of none."""
    try:
        return Head(**json.loads((folder / HEAD).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def answers(head: Head) -> bool:
    """Return whether the head takes jobs."""
    request = urllib.request.Request(f"{head.address}/api/version", headers=headers(head.token))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def headers(token: str) -> dict[str, str]:
    """Return the headers that a request of the head needs."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def held(folder: Path) -> bool:
    """Return whether a keeper is at work in a folder."""
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def start(place: Path, cpus: int, token: str, ports: list[int]) -> subprocess.Popen[bytes]:
    """Start the head's processes with their files in a place."""
    (place / "token").write_text(token)
    (place / "token").chmod(0o600)
    environment = {
        **os.environ,
        # Ray keeps a token of its own at home; what was downloaded is to outlast the head
        "HF_HOME": os.environ.get("HF_HOME", str(Path.home() / ".cache" / "huggingface")),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "HOME": str(place),
        # jobs tell nobody outside that they run
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(place / "token"),
        # without it the head listens on all addresses, whatever address it is given
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_memory_monitor_refresh_ms": "0",
        "ALTIPLANO_RAY_HEAD": str(place),
    }
    for inherited in ("RAY_ADDRESS", "RAY_JOB_ID", "OMP_NUM_THREADS"):
        environment.pop(inherited, None)
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"),
        *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--temp-dir={place / 'r'}"),
        *(f"--port={ports[0]}", f"--dashboard-port={ports[1]}", f"--ray-client-server-port={ports[2]}"),
        # whatever is free: several heads may be on one machine
        *("--dashboard-agent-listen-port=0", "--min-worker-port=0", "--max-worker-port=0"),
        *(f"--num-cpus={cpus}", f"--object-store-memory={_OBJECT_STORE_BYTES}"),
    ]
    with (place / "start.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that are free now."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in taken]


def _place() -> Path:
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="alp-", dir=usual if len(usual) <= _LONGEST else "/tmp"))


def _told(number: int, frame: Any) -> None:
    raise SystemExit(0)


def keep(folder: Path, cpus: int, idle_s: float) -> int:
    """Start a head, keep it as long as it is wanted, and end it; return 0 if it was not wanted any more."""
    place, token, ports = _place(), secrets.token_hex(32), free_ports(3)
    (folder / "place").write_text(str(place))
    head = Head(f"http://127.0.0.1:{ports[1]}", token, os.getpid(), str(place))
    try:
        process = start(place, cpus, token, ports)
        until = time.monotonic() + START_S
        while not answers(head):
            if process.poll() is not None or time.monotonic() > until or _idle(folder, idle_s):
                return 1
            time.sleep(0.3)
        _publish(folder, head)
        while process.poll() is None:
            if _idle(folder, idle_s):
                return 0
            time.sleep(0.5)
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (folder / HEAD).unlink(missing_ok=True)
        processes.end(place)
        shutil.rmtree(place, ignore_errors=True)


def _publish(folder: Path, head: Head) -> None:
    fresh = folder / f".{HEAD}"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(head)))
    fresh.replace(folder / HEAD)


def _idle(folder: Path, idle_s: float) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - (folder / LEASE).stat().st_mtime > idle_s
    return True


def main(arguments: list[str]) -> int:
    """Return 0 if the head was not wanted any more or another keeper is at work, 1 if the head failed."""
    folder = Path(arguments[0])
    signal.signal(signal.SIGTERM, _told)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return 0
        _clear(folder)
        return keep(folder, int(arguments[1]), float(arguments[2]))


def _clear(folder: Path) -> None:
    """End what a keeper left that was killed."""
    (folder / HEAD).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        left = Path((folder / "place").read_text())
        if left.is_dir() and left.name.startswith("alp-"):
            processes.end(left)
            shutil.rmtree(left, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
