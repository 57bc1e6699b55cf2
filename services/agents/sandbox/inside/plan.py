"""What the service tells the sandbox once, when it starts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACES: Final = "namespaces"
LANDLOCK: Final = "landlock"


@dataclass(frozen=True, slots=True)
class Plan:
    """How to lock a call in and what it may use.

    Attributes:
        walls: ``namespaces`` (inside of bubblewrap) or ``landlock``.
        uid: the user and group to become where the process is root; None to stay who it is.
        readable: what code may read under Landlock.
        scratch: the folder for calls under Landlock.
        memory: bytes of memory of all processes of a call together.
        disk: bytes of files of a call.
        processes: processes and threads of a call.
        cores: processor cores that all of them share; 0 for all that there are.
        output: bytes of standard output that are kept, and of standard error.
        figures: plots that are kept.
        seccomp: the filter of system calls, as the kernel takes it, in hexadecimal digits.
    """

    walls: str
    uid: int | None
    readable: list[str]
    scratch: str
    memory: int
    disk: int
    processes: int
    cores: int
    output: int
    figures: int
    seccomp: str
