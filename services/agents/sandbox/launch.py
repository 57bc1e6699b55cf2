"""How the process that calls are forked from is started: inside of bubblewrap, or as it is for Landlock."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_MOUNTED: Final = "/opt/sandbox"
_PACKAGE: Final = "services/agents/sandbox/inside"
_MODULE: Final = "services.agents.sandbox.inside.zygote"
_ROOT: Final = Path(__file__).resolve().parents[3]
_LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/usr/share/fonts")
_LINKED: Final = ("/lib", "/lib64")
_START: Final = (
    f"import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('{_MODULE}', {{}}, '__main__', True)"
)
_SCRATCH: Final = 256 * 1024 * 1024


def environment(home: str, temporary: str) -> dict[str, str]:
    """Return all that code in the sandbox finds in its environment."""
    return {
        "HOME": home,
        "TMPDIR": temporary,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{temporary}/matplotlib",
        # more threads would not be faster within the bounds, and a process with threads can't be forked from
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def readable() -> list[str]:
    """Return what an interpreter with its libraries needs to read, itself included."""
    wanted = [*_LIBRARIES, sys.base_prefix, os.path.realpath(sys.prefix)]
    return [path for path in dict.fromkeys(wanted) if os.path.isdir(path)]


def by_bubblewrap(descriptor: int, work: str) -> list[str]:
    """Return the command that starts the process inside of bubblewrap.

    Raises:
        FileNotFoundError: there is no bubblewrap.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise FileNotFoundError("bubblewrap is not installed")
    command = [program, *_unshared(), "--die-with-parent", "--new-session", "--clearenv"]
    for name, value in environment(work, "/tmp").items():
        command += ["--setenv", name, value]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SCRATCH), "--tmpfs", "/tmp"]
    inside = f"{_MOUNTED}/{_PACKAGE}"
    for folder in _parents([f"{work}/x", inside, "/etc/x", *readable()]):
        # bubblewrap would make them for root alone
        command += ["--perms", "0755", "--dir", folder]
    command += [*_bound(), "--ro-bind", str(_ROOT / _PACKAGE), inside]
    # /dev would belong to the code where the service is not root, and be the same for all calls
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]
    return [*command, *_python(_MOUNTED, descriptor)]


def plainly(descriptor: int) -> list[str]:
    """Return the command that starts the process without walls of its own."""
    return _python(str(_ROOT), descriptor)


def _unshared() -> Iterator[str]:
    yield from ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if os.getuid():
        yield "--unshare-user"
    else:
        # for becoming another user, and nothing else
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")


def _parents(paths: Iterable[str]) -> list[str]:
    """Return all folders above some paths, each after those above it."""
    return sorted({str(folder) for path in paths for folder in Path(path).parents} - {"/"})


def _bound() -> Iterator[str]:
    for path in readable():
        yield from ("--ro-bind", path, path)
    for path in _LINKED:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)
    yield from ("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache")


def _python(root: str, descriptor: int) -> list[str]:
    interpreter = os.path.join(os.path.realpath(sys.prefix), "bin", "python")
    return [interpreter, "-I", "-c", _START, root, str(descriptor)]
