"""A PostgreSQL server for tests, from the binaries of the pgserver package, on a socket in a folder of its own.

PostgreSQL refuses to run as root, so a root user's tests run it as nobody, from a copy that nobody can read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
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
    settings = {"listen_addresses": "''", "unix_socket_directories": str(data), "fsync": "off", "max_connections": "60"}
    arguments = " ".join(f"-c {name}={value}" for name, value in settings.items())
    control: list[Path | str] = [binaries / "bin" / "pg_ctl", "-D", data, "-w", "-t", str(_WAIT_S), "-l", data / "log"]
    subprocess.run([*control, "-o", arguments, "start"], check=True, stdout=subprocess.DEVNULL, **options)
    try:
        yield
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, stdout=subprocess.DEVNULL, **options)
