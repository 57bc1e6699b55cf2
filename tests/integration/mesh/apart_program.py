"""A program for the tests of ``mesh.apart``: ``python -m tests.integration.mesh.apart_program``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from mesh.apart.serving import serve


def answer(request: Any) -> Any:
    """Do what the request says."""
    match request:
        case {"sleep": seconds}:
            # a child of the program, which has to go with it
            child = subprocess.Popen(["sleep", str(seconds)])
            return {"slept": child.wait()}
        case {"die": code}:
            os._exit(code)
        case {"eat": mib}:
            return {"eaten": len(bytearray(mib * 1024 * 1024))}
        case {"tell": "surroundings"}:
            print("not a message")
            return {"environ": sorted(os.environ), "folder": tempfile.gettempdir(), "pid": os.getpid()}
        case _:
            return {"echo": request, "at": time.monotonic()}


if __name__ == "__main__":
    if "REFUSE" in os.environ:
        sys.exit("refused")
    serve(answer)
