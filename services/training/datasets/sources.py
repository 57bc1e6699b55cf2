"""The bytes that the URL of a dataset leads to, and which format they are of."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

from mesh.errors import InvalidField

_CHUNK: Final = 1024 * 1024
_LONGEST: Final = 64 * 1024
_TYPES: Final = {
    "application/jsonl": "jsonl",
    "application/x-jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
_ENDINGS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}


@dataclass(frozen=True, slots=True)
class Opened:
    """Bytes that can be read once, with the media type that their place told and a name whose ending may tell it."""

    chunks: AsyncGenerator[bytes]
    media_type: str = ""
    name: str = ""


class Place(Protocol):
    """Where URLs of some schemes lead."""

    def open(self, url: str, path: str) -> AbstractAsyncContextManager[Opened]:
        """Open what a URL leads to; ``path`` is the field that held it, for errors.

        Raises:
            InvalidField: the URL is not allowed, or nothing is there.
            BackendUnavailable: the place can't be reached.
        """
        ...


class Sources:
    """Opens URLs of datasets by their schemes; ``data:`` URLs by itself."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        """``places`` has a place for each scheme, as in ``https``."""
        self._places = dict(places)

    @asynccontextmanager
    async def open(self, url: str, path: str) -> AsyncGenerator[Opened]:
        """Open what a URL leads to.

        Raises:
            InvalidField: the URL is not allowed, or nothing is there.
            BackendUnavailable: the place can't be reached.
        """
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            yield _data(url, path)
            return
        place = self._places.get(scheme)
        if place is None:
            schemes = ", ".join(f"{name}:" for name in ("data", "dataset", *self._places))
            raise InvalidField(path, f"a URL of one of {schemes} is needed")
        async with place.open(url, path) as opened:
            yield opened


def format_of(told: str, opened: Opened, path: str) -> str:
    """Return jsonl, csv or parquet: what the caller told, else what the media type or the name's ending says.

    Raises:
        InvalidField: nothing says it.
    """
    if told:
        if told not in _ENDINGS.values():
            raise InvalidField("dataset.metadata.format", "one of jsonl, csv, parquet is needed")
        return told
    found = _TYPES.get(opened.media_type.partition(";")[0].strip().lower())
    found = found or _ENDINGS.get(PurePosixPath(opened.name.lower()).suffix)
    if found is None:
        raise InvalidField(
            path,
            "neither media type nor ending says what the data is; metadata.format can (jsonl, csv, parquet)",
        )
    return found


def shown(url: str) -> str | None:
    """Return a URL without what may be a credential; None for data: that is too long to be repeated.

    User, password, query and fragment are left out: signed URLs carry their signature in the query.
    """
    if url[:5].lower() == "data:":
        return url if len(url) <= _LONGEST else None
    parts = urlsplit(url)
    if parts.scheme.lower() == "hf":
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _data(url: str, path: str) -> Opened:
    """Return what a data: URL of RFC 2397 holds."""
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise InvalidField(path, "a data: URL has a comma before its data")
    told, is_base64 = (head[:-7], True) if head.lower().endswith(";base64") else (head, False)
    data = unquote_to_bytes(body)
    if is_base64:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise InvalidField(path, "the data of the data: URL is not base64") from error
    return Opened(pieces(data), told)


async def pieces(data: bytes) -> AsyncGenerator[bytes]:
    """Yield bytes in pieces."""
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
