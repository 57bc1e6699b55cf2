"""The system calls that Python's library has no function for."""

from __future__ import annotations

import ctypes
import os
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_BIND: Final = 4096
MS_REC: Final = 16384
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_CAPABILITY_VERSION_3: Final = 0x20080522
_SIGKILL: Final = 9

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(what: str, *arguments: int) -> None:
    words = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:5]]
    _checked(_libc.prctl(*words), what)


def unshare(flags: int) -> None:
    """Leave namespaces for fresh ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount_tmpfs(target: str, flags: int, options: str) -> None:
    """Mount an empty file system in memory."""
    _checked(_libc.mount(b"tmpfs", target.encode(), b"tmpfs", ctypes.c_ulong(flags), options.encode()), "mount")


def mount_again(descriptor: int, target: str) -> None:
    """Mount an open folder, with what is mounted below it, at another place as well."""
    source = f"/proc/self/fd/{descriptor}".encode()
    _checked(_libc.mount(source, target.encode(), None, ctypes.c_ulong(MS_BIND | MS_REC), None), "mount")


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends."""
    _prctl("PR_SET_PDEATHSIG", _PR_SET_PDEATHSIG, _SIGKILL)


def set_dumpable(yes: bool) -> None:
    """Say whether the process's own files in /proc are its user's."""
    _prctl("PR_SET_DUMPABLE", _PR_SET_DUMPABLE, int(yes))


def no_new_privileges() -> None:
    """Never gain privileges by running a program."""
    _prctl("PR_SET_NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up all capabilities, and what programs could bring."""
    for capability in range(64):
        # the kernel knows fewer, and without CAP_SETPCAP there is nothing to drop them from
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def filter_calls(program: bytes) -> None:
    """Install a filter of system calls; each instruction has 8 bytes."""
    buffer = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.addressof(buffer))
    _prctl("PR_SET_SECCOMP", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(described))


def call(number: int, *arguments: int) -> int:
    """Make a system call by its number."""
    return _checked(int(_libc.syscall(number, *map(ctypes.c_long, arguments))), f"system call {number}")
