"""Installs clients of others into folders of their own under ``build/clients/``, once for each state of their lock."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "clients"
INSTALL_S = 400


class InstallError(Exception):
    """An installation failed; the text is what the installer said."""


def python_with(lock: Path) -> Path:
    """Return the interpreter of a virtual environment that holds what the lock file names and nothing else.

    Raises:
        InstallError: the packages can't be installed.
    """
    folder = BUILD / lock.stem
    python = folder / "bin" / "python"

    def build() -> None:
        run([sys.executable, "-m", "venv", "--without-pip", folder])
        arguments: list[str | Path] = ["--quiet", "--no-deps", "-r", lock]
        try:
            uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
            run([uv, "pip", "install", "--python", python, *arguments], environment=_uv_settings())
        except InstallError:
            # a machine whose index only pip is set up for
            run([sys.executable, "-m", "pip", "--python", python, "install", *arguments])

    installed(folder, lock.read_bytes(), build)
    return python


def installed(folder: Path, contents: bytes, build: Callable[[], None]) -> None:
    """Build a folder anew unless it was built from the same contents; several processes may ask at once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".installed"
    wanted = hashlib.sha256(contents + sys.version.encode()).hexdigest()
    with _locked(folder.with_suffix(".lock")):
        if stamp.exists() and stamp.read_text() == wanted:
            return
        shutil.rmtree(folder, ignore_errors=True)
        build()
        stamp.write_text(wanted)


def run(arguments: Sequence[str | Path], cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Run an installer.

    Raises:
        InstallError: it failed or took too long.
    """
    command = list(map(str, arguments))
    try:
        done = subprocess.run(
            command, cwd=cwd, env=os.environ | (environment or {}), capture_output=True, text=True, timeout=INSTALL_S
        )
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        raise InstallError(str(error)) from error
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command[:3])}: {done.stdout}{done.stderr}")


def _uv_settings() -> dict[str, str]:
    """Return the settings that uv does not share with pip: the local folder of wheels."""
    folder = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    return {"UV_LINK_MODE": "copy"} | ({"UV_FIND_LINKS": folder} if folder else {})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
