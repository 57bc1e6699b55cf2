"""The bytes of artifacts: in a store of the service's own, or wherever a link leads within the allowed places.

Store and places are URLs that fsspec understands (file:, s3:, gs:); the packages of a scheme are loaded with its first
use. Everything here blocks and belongs into a thread.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import fsspec

from mesh.errors import BackendUnavailable, DataLoss, InvalidField, QuotaExceeded

CHUNK: Final = 1 << 20
_LOCAL: Final = "file"
_NEVER: Final = frozenset({"http", "https", "data"})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED: Final = "a file or a folder within the places that the server allows is needed"


@dataclass(frozen=True, slots=True)
class Linked:
    """What a URL leads to: bytes in all, and the digest of a file (None for a folder)."""

    size: int
    sha256: str | None


class Files:
    """Stores, finds and reads the bytes of artifacts.

    Args:
        store: the URL of the folder for uploaded files.
        places: URLs of folders that links may lead into.
        s3_endpoint: URL of the S3 server; empty for Amazon's.
    """

    def __init__(self, store: str, places: Sequence[str] = (), s3_endpoint: str = "") -> None:
        self._store = store.rstrip("/")
        patience = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}
        # a listing that is kept would be out of date
        self._s3: dict[str, Any] = {"use_listings_cache": False, "config_kwargs": patience}
        if s3_endpoint:
            self._s3["endpoint_url"] = s3_endpoint
        self._places = tuple(place.rstrip("/") for place in (store, *places))

    def url(self, *names: str) -> str:
        """Return where a file of the store is."""
        return "/".join((self._store, *names))

    def write(self, url: str, data: bytes) -> None:
        """Store a file as a whole or not at all.

        Raises:
            QuotaExceeded: there is no room.
            BackendUnavailable: the store can't be reached.
        """
        filesystem, path = self._open(url)
        try:
            if urlsplit(url).scheme == _LOCAL:
                filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
                partial = f"{path}.partial"
                filesystem.pipe_file(partial, data)
                filesystem.mv(partial, path)
            else:
                # an object is there as a whole or not at all
                filesystem.pipe_file(path, data)
        except _failures() as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                raise QuotaExceeded("the store of artifacts", "the store of artifacts is full") from error
            raise BackendUnavailable("the store of artifacts can't be written") from error

    def remove(self, url: str) -> None:
        """Delete a file of the store; one that is not there is no error."""
        filesystem, path = self._open(url)
        try:
            filesystem.rm_file(path)
        except FileNotFoundError:
            return
        except _failures() as error:
            raise BackendUnavailable("the store of artifacts can't be written") from error

    def look(self, url: str) -> Linked:
        """Return what a link leads to.

        Raises:
            InvalidField: it leads nowhere or out of the allowed places.
        """
        filesystem, path = self._allowed(url)
        try:
            if filesystem.isdir(path):
                return Linked(int(filesystem.du(path)), None)
            digest, size = sha256(), 0
            with filesystem.open(path, "rb") as file:
                while part := file.read(CHUNK):
                    digest.update(part)
                    size += len(part)
            return Linked(size, digest.hexdigest())
        except _failures() as error:
            raise InvalidField("url", _REFUSED) from error
        except ValueError as error:
            raise InvalidField("url", _REFUSED) from error

    def read(self, url: str, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a file from an offset on, in pieces of 1 MiB.

        Raises:
            DataLoss: the file is not there any more.
            BackendUnavailable: what has it can't be reached.
        """
        try:
            filesystem, path = self._allowed(url)
            with filesystem.open(path, "rb") as file:
                file.seek(offset)
                while part := file.read(CHUNK):
                    yield part
        except (FileNotFoundError, InvalidField) as error:
            raise DataLoss("the file of the artifact can't be read any more") from error
        except _failures() as error:
            if urlsplit(url).scheme == _LOCAL:
                raise DataLoss("the file of the artifact can't be read any more") from error
            raise BackendUnavailable("the file of the artifact can't be read now") from error

    def _allowed(self, url: str) -> tuple[Any, str]:
        """Return the filesystem and the path of a URL, links resolved.

        Raises:
            InvalidField: it is outside of the allowed places.
        """
        scheme = urlsplit(url).scheme
        if not scheme or scheme in _NEVER:
            raise InvalidField("url", _REFUSED)
        for place in self._places:
            if urlsplit(place).scheme != scheme:
                continue
            filesystem, root = self._open(place)
            _, path = self._open(url)
            if PurePosixPath(_real(scheme, path)).is_relative_to(_real(scheme, root)):
                return filesystem, path
        raise InvalidField("url", _REFUSED)

    def _open(self, url: str) -> tuple[Any, str]:
        """Return the filesystem and the path that a URL names."""
        parts = urlsplit(url)
        if parts.scheme == _LOCAL:
            if parts.netloc not in {"", "localhost"} or "\0" in unquote(parts.path):
                raise InvalidField("url", _REFUSED)
            return fsspec.filesystem(_LOCAL), unquote(parts.path)
        if ".." in PurePosixPath(unquote(parts.path)).parts:
            raise InvalidField("url", _REFUSED)
        try:
            filesystem, path = fsspec.core.url_to_fs(url, **(self._s3 if parts.scheme == "s3" else {}))
        except (ValueError, ImportError) as error:
            raise InvalidField("url", _REFUSED) from error
        return filesystem, str(path)


def _failures() -> tuple[type[Exception], ...]:
    """Return what file systems raise; the client of S3 has errors of its own, once it is there."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError,) if botocore is None else (OSError, botocore.BotoCoreError)


def _real(scheme: str, path: str) -> str:
    """Return where a path leads; links exist on local disks alone."""
    return str(Path(path).resolve()) if scheme == _LOCAL else path
