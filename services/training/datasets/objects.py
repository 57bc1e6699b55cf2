"""s3: and gs: URLs: objects of a store, read through fsspec.

URLs below the configured prefixes are read with the service's own credentials, as s3fs and gcsfs find them; all others
without any, so that nobody reads through the service what is private.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import fsspec

from mesh.errors import BackendUnavailable, InvalidField, WrongState
from services.training.datasets.folders import chunks
from services.training.datasets.sources import Opened

_BLOCK: Final = 8 * 1024 * 1024
_PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs"}


@dataclass(frozen=True, slots=True)
class Objects:
    """Reads objects. ``own`` are prefixes of URLs, ``endpoint`` is the S3 server's URL, empty for Amazon's."""

    own: tuple[str, ...] = ()
    endpoint: str = ""

    @asynccontextmanager
    async def open(self, url: str, path: str) -> AsyncGenerator[Opened]:
        """Open an object.

        Raises:
            InvalidField: there is no such object, or it is not public.
            BackendUnavailable: the store can't be reached.
            WrongState: the package for the scheme is not installed.
        """
        file = await asyncio.to_thread(self._open, url, path)
        try:
            yield Opened(_translated(chunks(file)), name=url)
        finally:
            await asyncio.to_thread(file.close)

    def _open(self, url: str, path: str) -> BinaryIO:
        scheme = url.partition(":")[0].lower()
        try:
            files: Any = fsspec.filesystem(scheme, **self._options(scheme, url))
        except ImportError as error:
            package = _PACKAGES.get(scheme, "fsspec")
            raise WrongState(
                f"{path}: {scheme}: URLs can't be read; this deployment lacks the package {package}"
            ) from error
        try:
            opened: BinaryIO = files.open(url, "rb", block_size=_BLOCK, cache_type="readahead")
        except (FileNotFoundError, PermissionError, IsADirectoryError, ValueError) as error:
            raise InvalidField(path, "an object that is there and may be read is needed") from error
        except failures() as error:
            raise BackendUnavailable("the object's store can't be reached") from error
        return opened

    def _options(self, scheme: str, url: str) -> dict[str, Any]:
        own = any(url == prefix or url.startswith(f"{prefix.rstrip('/')}/") for prefix in self.own)
        if scheme == "gs":
            return {} if own else {"token": "anon"}
        # a listing that is kept would be out of date
        options: dict[str, Any] = {"anon": not own, "use_listings_cache": False}
        options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}
        return options | ({"endpoint_url": self.endpoint} if self.endpoint else {})


async def _translated(source: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for chunk in source:
            yield chunk
    except failures() as error:
        raise BackendUnavailable("the object's store can't be reached") from error


def failures() -> tuple[type[Exception], ...]:
    """Return what the packages raise when a store does not answer."""
    from botocore.exceptions import BotoCoreError

    return OSError, BotoCoreError
