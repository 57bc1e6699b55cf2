"""hf: URLs: files and whole datasets of a Hugging Face hub, read in a process of its own.

``hf://datasets/OWNER/NAME[@REVISION]/PATH`` is a file. Without a path it is the whole dataset, of which
``?split=train&config=default`` chooses a part; code that a dataset brings along is never run.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from mesh.errors import BackendUnavailable, InvalidField
from services.training.datasets.hub_reader import MISSING, UNREACHABLE
from services.training.datasets.sources import Opened

_CHUNK: Final = 1024 * 1024
_TOLD: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")
_PARAMETERS: Final = frozenset({"split", "config"})


@dataclass(frozen=True, slots=True)
class Hub:
    """Reads from a hub. ``own`` are prefixes of URLs that are read with the token, all others without."""

    endpoint: str = "https://huggingface.co"
    token: str | None = None
    own: tuple[str, ...] = ()

    @asynccontextmanager
    async def open(self, url: str, path: str) -> AsyncGenerator[Opened]:
        """Open a file or a dataset.

        Raises:
            InvalidField: the URL is not one of a dataset, or the hub has no such thing for us.
            BackendUnavailable: the hub can't be reached.
        """
        whole = _whole(url, path)
        with tempfile.TemporaryDirectory() as home:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.training.datasets.hub_reader", url),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                env=self._environment(url, home),
            )
            try:
                yield Opened(_read(process, path), "application/jsonl" if whole else "", url)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    def _environment(self, url: str, home: str) -> dict[str, str]:
        told = {name: os.environ[name] for name in _TOLD if name in os.environ}
        told |= {"HF_ENDPOINT": self.endpoint, "HF_HOME": home, "HOME": home, "HF_HUB_DISABLE_TELEMETRY": "1"}
        own = any(url == prefix or url.startswith(f"{prefix.rstrip('/')}/") for prefix in self.own)
        return told | ({"HF_TOKEN": self.token} if self.token and own else {})


def _whole(url: str, path: str) -> bool:
    """Return whether a URL is a dataset as a whole.

    Raises:
        InvalidField: it is neither that nor a file of one.
    """
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name]
    known = {name for name, _ in parse_qsl(parts.query)} <= _PARAMETERS
    if parts.netloc != "datasets" or len(names) < 2 or ".." in names or not known or (parts.query and len(names) > 2):
        raise InvalidField(path, "hf://datasets/OWNER/NAME/FILE or hf://datasets/OWNER/NAME?split=SPLIT is needed")
    return len(names) == 2


async def _read(process: Process, path: str) -> AsyncGenerator[bytes]:
    assert process.stdout is not None
    while chunk := await process.stdout.read(_CHUNK):
        yield chunk
    match await process.wait():
        case 0:
            return
        case code if code == MISSING:
            raise InvalidField(path, "a file or dataset of the hub that everybody may read is needed")
        case code if code == UNREACHABLE:
            raise BackendUnavailable("the hub can't be reached")
        case _:
            raise InvalidField(path, "the hub's file or dataset can't be read")
