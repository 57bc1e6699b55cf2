"""Confining a process's files, network and signals by Landlock (Linux 5.13; the kernel's landlock(7))."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from ctypes import addressof, create_string_buffer
from typing import Final

from services.agents.sandbox.inside import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_FILE_READ: Final = 1 << 0 | 1 << 2  # EXECUTE (to map a library), READ_FILE
_READ: Final = _FILE_READ | 1 << 3  # READ_DIR
_RIGHTS_OF_ABI: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_RIGHTS: Final = 16
_ON_FILES: Final = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
_REMOVE_DIR: Final = 1 << 4
_NO_DEVICES: Final = ~(1 << 6 | 1 << 9 | 1 << 10 | 1 << 11)  # MAKE_CHAR, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK


def version() -> int:
    """Return the version of the kernel's interface, 0 where there is none."""
    try:
        return kernel.call(_CREATE, 0, 0, _VERSION)
    except OSError:
        return 0


def confine(readable: Iterable[str], writable: Iterable[str], emptied: str = "") -> None:
    """Let this process and its children read and write beneath these paths, and nothing else.

    ``emptied`` is a folder from which folders may be removed; empty for none.
    Network by TCP is denied from version 4 on, signals to others and abstract sockets from version 6 on. Call
    ``no_new_privileges`` before.

    Raises:
        OSError: the kernel has no Landlock.
    """
    known = kernel.call(_CREATE, 0, 0, _VERSION)
    rights = (1 << _RIGHTS_OF_ABI.get(known, _ALL_RIGHTS)) - 1
    network = 3 if known >= 4 else 0
    scope = 3 if known >= 6 else 0
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = _with(struct.pack("=QQQ", rights, network, scope), lambda at: kernel.call(_CREATE, at, size, 0))
    try:
        for path in readable:
            _allow(ruleset, path, rights & _READ)
        for path in writable:
            _allow(ruleset, path, rights & _NO_DEVICES)
        if emptied:
            _allow(ruleset, emptied, _REMOVE_DIR)
        kernel.call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    if not os.path.exists(path):
        return
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        granted = rights if os.path.isdir(path) else rights & _ON_FILES
        rule = struct.pack("=Qi", granted, beneath)
        _with(rule, lambda at: kernel.call(_ADD, ruleset, _PATH_BENEATH, at, 0))
    finally:
        os.close(beneath)


def _with(data: bytes, use: Callable[[int], int]) -> int:
    buffer = create_string_buffer(data, len(data))
    return use(addressof(buffer))
