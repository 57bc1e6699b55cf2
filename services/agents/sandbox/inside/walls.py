"""What stands around one call: namespaces inside of bubblewrap, or Landlock where there are none.

Both are put up in two steps: by the warden, which then still can watch and clean up, and by the process of the code,
which then can do nothing of the kind any more.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from services.agents.sandbox.inside import kernel, landlock
from services.agents.sandbox.inside.plan import NAMESPACES, Plan

WORK: Final = "/mnt/data"
_INNER_ID: Final = 1000
_FILES_AT_MOST: Final = 4096
_OPEN_FILES: Final = 256
_FRESH: Final = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a call's files are, and a folder for what is of no interest afterwards."""

    work: str
    temporary: str


class Walls(Protocol):
    """One way to lock a call in."""

    places: Places

    def lock(self) -> None:
        """Lock this process in for good; to be called by the process of the code."""
        ...

    def overfull(self) -> bool:
        """Return whether there are more bytes of files than allowed."""
        ...

    def remove(self) -> None:
        """Clear away after all processes of the call are gone."""
        ...


class Namespaces:
    """Own users, processes, mounts and IPC; files live in memory, with a bound that the kernel keeps."""

    def __init__(self, plan: Plan) -> None:
        """Leave the zygote's namespaces; the next child is the first process of a fresh one."""
        self._plan = plan
        self.places = Places(WORK, "/tmp")
        uid, gid = os.getuid(), os.getgid()
        kernel.unshare(_FRESH)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_INNER_ID} {uid} 1")
        _write("/proc/self/gid_map", f"{_INNER_ID} {gid} 1")
        safe = kernel.MS_NOSUID | kernel.MS_NODEV
        hidden = {path: os.open(path, os.O_PATH) for path in plan.readable if path.startswith("/tmp/")}
        for folder in (WORK, "/tmp"):
            kernel.mount_tmpfs(folder, safe | kernel.MS_NOEXEC, f"size={plan.disk},nr_inodes={_FILES_AT_MOST},mode=700")
        for path, descriptor in hidden.items():
            # an interpreter that lies below /tmp reads its files from there still
            os.makedirs(path)
            kernel.mount_again(descriptor, path)
            os.close(descriptor)
        kernel.mount_tmpfs("/dev/shm", safe | kernel.MS_NOEXEC, f"size={plan.disk // 4},nr_inodes=256,mode=700")
        # all calls would see each other's terminals
        kernel.mount_tmpfs("/dev/pts", safe | kernel.MS_NOEXEC, "nr_inodes=1,mode=555")

    def lock(self) -> None:
        """Hide /proc, give up all privileges and bound what may be used."""
        _bound(self._plan)
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount_tmpfs("/proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "nr_inodes=1,mode=555")
        os.chdir(WORK)
        kernel.drop_capabilities()
        kernel.no_new_privileges()
        kernel.filter_calls(bytes.fromhex(self._plan.seccomp))

    def overfull(self) -> bool:
        """Return False: the kernel keeps the bound."""
        return False

    def remove(self) -> None:
        """Leave it to the kernel, which drops the mounts with the last process."""


class Landlock:
    """The same files as the service can see, but for a few none that may be opened; no processes besides the first."""

    def __init__(self, plan: Plan) -> None:
        """Make the folders of the call, and confine the warden too: it writes where the code may have made links."""
        self._plan = plan
        self._folder = tempfile.mkdtemp(prefix="call-", dir=plan.scratch)
        if plan.uid is not None:
            os.chown(self._folder, plan.uid, plan.uid)
            become(plan.uid)
        kernel.drop_capabilities()
        kernel.no_new_privileges()
        landlock.confine([*plan.readable, "/proc"], [self._folder], emptied=plan.scratch)
        self.places = Places(f"{self._folder}/data", f"{self._folder}/tmp")
        for place in (self.places.work, self.places.temporary):
            os.mkdir(place, 0o700)

    def lock(self) -> None:
        """Confine files, give up all privileges and bound what may be used."""
        os.chdir(self.places.work)
        os.environ.update(HOME=self.places.work, TMPDIR=self.places.temporary)
        _bound(self._plan)
        landlock.confine(self._plan.readable, (self.places.work, self.places.temporary))
        kernel.filter_calls(bytes.fromhex(self._plan.seccomp))

    def overfull(self) -> bool:
        """Return whether there are more bytes of files than allowed, each counted as one page at least."""
        total = 0
        for folder, _, names in os.walk(self._folder):
            for name in names:
                with contextlib.suppress(OSError):
                    total += max(4096, os.lstat(os.path.join(folder, name)).st_blocks * 512)
        return total > self._plan.disk

    def remove(self) -> None:
        """Delete the folders of the call."""
        shutil.rmtree(self._folder, ignore_errors=True)


def put_up(plan: Plan) -> Walls:
    """Return the walls of a new call."""
    return Namespaces(plan) if plan.walls == NAMESPACES else Landlock(plan)


def become(uid: int | None) -> None:
    """Become another user and group of that number for good; None changes nothing."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # the kernel takes a process's own /proc away from it when it changes its user
        kernel.set_dumpable(True)
        # and forgets that it is to end with its parent
        kernel.die_with_parent()


def _bound(plan: Plan) -> None:
    present = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    bounds = {
        resource.RLIMIT_AS: present + plan.memory,
        resource.RLIMIT_FSIZE: plan.disk,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    if plan.walls == NAMESPACES:
        # counted for the users of the call's own namespace alone
        bounds[resource.RLIMIT_NPROC] = plan.processes
    for which, most in bounds.items():
        resource.setrlimit(which, (most, most))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
