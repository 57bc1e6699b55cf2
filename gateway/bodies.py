"""Reads request bodies: size, time, content coding, type and charset. Knows nothing of connections and JSON."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import BodyTooSlow, UnsupportedMediaType
from mesh.errors import MalformedRequest, RequestTooLarge

_JSON = frozenset({b"application/json", b"text/json"})
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Source(Protocol):
    """Where a body comes from."""

    def whole(self) -> bytes | None:
        """Return the body if all of it has arrived already, b"" for none; else None."""

    async def piece(self) -> bytes:
        """Wait for more of the body and return it; b"" at its end.

        Raises:
            Cancelled: the client went away.
        """


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads bodies of at most ``max_bytes`` bytes, before and after decompression, within ``timeout`` seconds."""

    max_bytes: int
    timeout: float

    def at_hand(self, source: Source, headers: Mapping[bytes, bytes]) -> bytes | None:
        """Return the body as ``read`` does if all of it has arrived already and it is plain JSON; else None."""
        kind = headers.get(b"content-type")
        if (kind is not None and kind != b"application/json") or b"content-encoding" in headers:
            return None
        whole = source.whole()
        return None if whole is None else self._checked(whole)

    async def read(self, source: Source, headers: Mapping[bytes, bytes]) -> bytes:
        """Return the body, decompressed; b"" for none.

        Raises:
            RequestTooLarge: it is, or promises to be, larger than what is taken.
            UnsupportedMediaType: it is no JSON, or in a charset or content coding that is not read.
            MalformedRequest: it can't be decompressed.
            BodyTooSlow: it did not arrive in time.
            Cancelled: the client went away.
        """
        whole = source.whole()
        body = await self._receive(source, headers) if whole is None else self._checked(whole)
        if not body:
            return body
        kind = headers.get(b"content-type")
        if kind is not None and kind != b"application/json":
            _require_json(kind)
        coding = headers.get(b"content-encoding")
        return body if coding is None else self._decompressed(body, coding)

    async def _receive(self, source: Source, headers: Mapping[bytes, bytes]) -> bytes:
        promised = headers.get(b"content-length")
        if promised is not None and promised.isdigit() and int(promised) > self.max_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.timeout):
                while part := await source.piece():
                    size += len(part)
                    if size > self.max_bytes:
                        raise self._too_large()
                    parts.append(part)
        except TimeoutError as error:
            raise BodyTooSlow(f"the body did not arrive within {self.timeout:g} seconds") from error
        return b"".join(parts)

    def _checked(self, body: bytes) -> bytes:
        if len(body) > self.max_bytes:
            raise self._too_large()
        return body

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(f"a body may have at most {self.max_bytes} bytes")

    def _decompressed(self, body: bytes, coding: bytes) -> bytes:
        name = coding.strip().lower()
        if name == b"identity":
            return body
        if name not in (b"gzip", b"x-gzip"):
            raise UnsupportedMediaType("the content coding of a body is gzip or none")
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            # one byte over the limit is enough to know that a small body hides a large one
            plain = stream.decompress(body, self.max_bytes + 1)
        except zlib.error as error:
            raise MalformedRequest("the body is not in gzip format") from error
        if len(plain) > self.max_bytes:
            raise self._too_large()
        if not stream.eof or stream.unused_data:
            raise MalformedRequest("the body is not one complete gzip stream")
        return plain


def _require_json(content_type: bytes) -> None:
    kind, _, parameters = content_type.lower().partition(b";")
    kind = kind.strip()
    if kind not in _JSON and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise UnsupportedMediaType("a body is application/json: send it with the header content-type: application/json")
    # RFC 8259 leaves nothing but UTF-8, of which ASCII is a part
    if _charset(parameters) not in (b"utf-8", b"utf8", b"us-ascii", b"ascii"):
        raise UnsupportedMediaType("the charset of a body is utf-8")


def _charset(parameters: bytes) -> bytes:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset":
            return value.strip().strip(b'"')
    return b"utf-8"
