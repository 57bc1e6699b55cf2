"""A PostgreSQL server for tests, from the binaries of the pgserver package, on a socket in a folder of its own.

PostgreSQL refuses to run as root, so a root user's tests run it as nobody, from a copy that nobody can read.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

_WAIT_S = 60
_NOBODY = 65534


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server for the time of the block; yield the URL of its databases with ``{name}`` for the database."""
    spec = find_spec("pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    # sockets have short paths, so pytest's own folders are no place for them
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    identity: dict[str, Any] = {}
    try:
        if os.geteuid() == 0:
            # the binaries find the wheel's bundled libraries beside the package
            for part in (package, package.with_name("pgserver.libs")):
                shutil.copytree(part, folder / part.name, symlinks=True)
            package = folder / package.name
            os.chmod(folder, 0o755)
            identity = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        binaries = package / "pginstall"
        data = folder / "data"
        data.mkdir(mode=0o700)
        if identity:
            os.chown(data, _NOBODY, _NOBODY)
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(data)}
        options: dict[str, Any] = {"env": environment, "cwd": data, **identity}
        initdb: list[Path | str] = [binaries / "bin" / "initdb", "-D", data, "-U", "postgres"]
        initdb += ["--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, timeout=_WAIT_S, **options)
        with _server(binaries, data, options):
            yield f"postgresql://postgres@/{{name}}?host={data}"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(binaries: Path, data: Path, options: dict[str, Any]) -> Iterator[None]:
    settings = {"listen_addresses": "", "unix_socket_directories": str(data), "fsync": "off", "max_connections": "60"}
    arguments = [f"-c{name}={value}" for name, value in settings.items()]
    server = subprocess.Popen(
        [binaries / "bin" / "postgres", "-D", data, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=_end_with_parent,
        **options,
    )
    assert server.stderr is not None
    said = server.stderr
    try:
        log = b""
        while b"ready to accept connections" not in log:
            line = said.readline()
            assert line, f"PostgreSQL did not start: {log.decode()}"
            log += line
        drain = Thread(target=said.read)
        drain.start()
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=_WAIT_S)
    drain.join()
    said.close()


def _end_with_parent() -> None:
    """Have the kernel end the server with the tests, however these end (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)
