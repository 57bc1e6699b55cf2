"""Children that do not outlive the process that started them, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int) -> bool:
    """Have the kernel kill this process when its parent dies; return whether ``parent`` still is that (else end).

    For a child's own beginning: nothing runs between fork and exec. Only Linux has it; elsewhere the parent is looked
    at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent
