"""Starts a service in the environment that runs this, as its image would be, and stops it: ``started.py eval``.

Imports every module of the service first, those that are imported late too, so that a package that the image lacks is
found here. Needs nothing besides the service's own environment. Ends with 0 if it served and ended in order.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Final

WAIT_S: Final = 120
SERVING: Final = "serving on"
OPTIONAL: Final = {"gcsfs", "wandb"}
"""Packages that no image has; what needs them says so."""


def modules(package: str) -> Iterator[str]:
    """Yield the modules of a package that can be imported; those that migrate can't outside of a migration."""
    yield package
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if ".migrations" not in found.name and not found.name.endswith("__main__"):
            yield found.name


def lacking(packages: tuple[str, ...]) -> Iterator[str]:
    """Yield the modules that can't be imported, with the reason."""
    for package in packages:
        for name in modules(package):
            try:
                importlib.import_module(name)
            except ImportError as error:
                if error.name not in OPTIONAL:
                    yield f"{name}: {error}"


def started(process: str) -> str:
    """Return what keeps a process from serving, or an empty text."""
    prefix = f"ALTIPLANO_{process.upper()}"
    with tempfile.TemporaryDirectory() as folder:
        # models of one's own take minutes, and need not be there for the front
        settings = {f"{prefix}_BIND": "127.0.0.1:0", f"{prefix}_DATA": folder}
        settings |= {"ALTIPLANO_INFERENCE_MODEL": "", "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": ""}
        command = [sys.executable, "-m", process if process == "gateway" else f"services.{process}"]
        log = os.path.join(folder, "log")
        with open(log, "wb") as out:
            running = subprocess.Popen(command, env={**os.environ, **settings}, stdout=out, stderr=out)
        try:
            end = time.monotonic() + WAIT_S
            while SERVING not in said(log) and running.poll() is None and time.monotonic() < end:
                time.sleep(0.2)
            if SERVING not in said(log):
                return f"{process} does not serve:\n{said(log)}"
        finally:
            running.terminate()
            code = running.wait(WAIT_S)
        return "" if code == 0 else f"{process} ended with {code}:\n{said(log)}"


def said(log: str) -> str:
    """Return what a process has written."""
    with open(log, encoding="utf-8", errors="replace") as found:
        return found.read()


def main(service: str) -> int:
    """Return the exit code."""
    process = service.removesuffix("-cuda")
    packages = ("mesh", "gateway") if process == "gateway" else ("mesh", f"services.{process}")
    problems = list(lacking(packages)) or [started(process)]
    print(*filter(None, problems), sep="\n", end="")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
