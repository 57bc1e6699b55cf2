"""Where model files come from: a folder, or a remote tree that is copied into a cache folder through fsspec.

A copy that was cut goes on where it ended: a file arrives under a name ending in ``.part`` and is renamed when it is
whole, and the tree counts as complete once a manifest lists it. Nothing is fetched unless a source names it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mesh.errors import BackendUnavailable, InvalidField, NotSupported, ResourceNotFound

SCHEMES: Final = frozenset({"hf", "s3", "gs"})
MANIFEST: Final = "manifest.json"
# one request each, and what is lost at most when the connection breaks
CHUNK_BYTES: Final = 8 << 20
# formats that repeat the weights, and files that no engine reads
UNWANTED: Final = frozenset(
    {".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf", ".md", ".png", ".jpg", ".gitattributes"}
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy has come: the file under way, bytes that are here and bytes in all, earlier attempts included."""

    file: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _RemoteFile:
    path: str
    name: str
    size: int


class Sources:
    """Turns a source into a local folder."""

    def __init__(self, cache: Path, *, schemes: frozenset[str] = SCHEMES) -> None:
        """``cache`` takes the copies; ``schemes`` are the remote ones that may be fetched."""
        self._cache = cache
        self._schemes = schemes

    def folder(self, source: str) -> Path | None:
        """Return the folder of a source that needs no fetching, None for one that has to be fetched first.

        Raises:
            InvalidField: the scheme is not one that this service fetches.
            ResourceNotFound: a local folder does not exist.
        """
        scheme, _, rest = source.partition("://")
        if not rest or scheme == "file":
            folder = Path(rest or source).expanduser()
            if not folder.is_dir():
                raise ResourceNotFound("model source", source)
            return folder
        if scheme not in self._schemes:
            raise InvalidField("source", f"a folder or one of {', '.join(f'{s}://' for s in sorted(self._schemes))}")
        place = self._place(source)
        return place if (place / MANIFEST).is_file() else None

    async def fetch(self, source: str) -> AsyncIterator[Progress]:
        """Copy a remote source into the cache, yielding progress; afterwards :meth:`folder` returns its folder.

        Raises:
            ResourceNotFound: there are no files at the source.
            NotSupported: the package for the scheme is not installed.
            BackendUnavailable: the source can't be reached, or gave less than it announced.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Progress | None] = asyncio.Queue()

        def report(progress: Progress) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, progress)

        copying = asyncio.ensure_future(asyncio.to_thread(self._copy, source, report))
        copying.add_done_callback(lambda _: queue.put_nowait(None))
        while (progress := await queue.get()) is not None:
            yield progress
        await copying

    def _place(self, source: str) -> Path:
        return self._cache / hashlib.sha256(source.encode()).hexdigest()[:24]

    def _copy(self, source: str, report: Callable[[Progress], None]) -> None:
        filesystem, files = _listing(source)
        failures = _failures(source)
        total = sum(file.size for file in files)
        place = self._place(source)
        place.mkdir(parents=True, exist_ok=True)
        done = 0
        for file in files:
            try:
                done = _copy_file(filesystem, file, place / file.name, (done, total, report))
            except failures as error:
                have = _part(place / file.name).stat().st_size
                raise BackendUnavailable(
                    f"fetching {file.name} was cut after {have} bytes", retry_after_s=5.0
                ) from error
        manifest = {"source": source, "files": {file.name: file.size for file in files}}
        (place / MANIFEST).write_text(json.dumps(manifest, indent=1))


def _listing(source: str) -> tuple[Any, list[_RemoteFile]]:
    import fsspec

    try:
        filesystem, root = fsspec.core.url_to_fs(source)
        found: dict[str, dict[str, Any]] = filesystem.find(root, detail=True)
    except ImportError as error:
        raise NotSupported(f"this deployment lacks the package for {source.partition('://')[0]}://") from error
    except FileNotFoundError as error:
        raise ResourceNotFound("model source", source) from error
    except _failures(source) as error:
        raise BackendUnavailable("the model source can't be reached", retry_after_s=5.0) from error
    files = []
    for path, info in sorted(found.items()):
        name = path.removeprefix(root).lstrip("/")
        if PurePosixPath(name).suffix not in UNWANTED and ".." not in PurePosixPath(name).parts:
            files.append(_RemoteFile(path, name, int(info["size"])))
    if not files:
        raise ResourceNotFound("model source", source)
    return filesystem, files


def _failures(source: str) -> tuple[type[Exception], ...]:
    """Return what the client of a source raises when the other side can't be reached or breaks off."""
    scheme = source.partition("://")[0]
    if scheme == "s3":
        from aiohttp import ClientError
        from botocore.exceptions import BotoCoreError

        return (OSError, ClientError, BotoCoreError)
    if scheme == "gs":
        from aiohttp import ClientError
        from gcsfs.retry import HttpError

        return (OSError, ClientError, HttpError)
    if scheme == "hf":
        from httpx2 import HTTPError

        return (OSError, HTTPError)
    return (OSError,)


def _part(target: Path) -> Path:
    """Return where a file is while it is not whole."""
    return target.with_name(target.name + ".part")


def _copy_file(
    filesystem: Any, file: _RemoteFile, target: Path, account: tuple[int, int, Callable[[Progress], None]]
) -> int:
    """Copy one file, going on behind what is there.

    ``account`` holds the bytes of the files before, the bytes in all, and who is told. Returns the bytes that are here.
    """
    before, total, report = account
    if target.is_file() and target.stat().st_size == file.size:
        report(Progress(file.name, before + file.size, total))
        return before + file.size
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _part(target)
    partial.touch()
    have = partial.stat().st_size
    if have > file.size:
        partial.unlink()
        have = 0
    # read ahead of what is asked for, a broken connection would lose that as well
    with filesystem.open(file.path, "rb", cache_type="none") as remote, partial.open("ab") as local:
        remote.seek(have)
        while chunk := remote.read(CHUNK_BYTES):
            local.write(chunk)
            have += len(chunk)
            report(Progress(file.name, before + have, total))
    if have != file.size:
        raise BackendUnavailable(f"{file.name} has {have} bytes instead of {file.size}", retry_after_s=5.0)
    partial.rename(target)
    return before + have
