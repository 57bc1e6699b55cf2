"""Reads request bodies: size, time, content coding, type and charset. Knows ASGI's receive; knows nothing of JSON."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import BodyTooSlow, UnsupportedMediaType
from mesh.errors import Cancelled, MalformedRequest, RequestTooLarge

Receive = Callable[[], Awaitable[Any]]

_JSON = frozenset({b"application/json", b"text/json"})
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads bodies of at most ``max_bytes`` bytes, before and after decompression, within ``timeout`` seconds."""

    max_bytes: int
    timeout: float

    async def read(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        """Return the body, decompressed; b"" for none.

        Raises:
            RequestTooLarge: it is, or promises to be, larger than what is taken.
            UnsupportedMediaType: it is no JSON, or in a charset or content coding that is not read.
            MalformedRequest: it can't be decompressed.
            BodyTooSlow: it did not arrive in time.
            Cancelled: the client went away.
        """
        promised = headers.get(b"content-length")
        if promised is not None and promised.isdigit() and int(promised) > self.max_bytes:
            raise self._too_large()
        body = await self._receive(receive)
        if not body:
            return body
        kind = headers.get(b"content-type")
        if kind is not None and kind != b"application/json":
            _require_json(kind)
        coding = headers.get(b"content-encoding")
        return body if coding is None else self._decompressed(body, coding)

    async def _receive(self, receive: Receive) -> bytes:
        message = await _next(receive)
        if not message.get("more_body", False):
            return self._checked(message.get("body", b""))
        parts: list[bytes] = [message.get("body", b"")]
        size = len(parts[0])
        try:
            async with asyncio.timeout(self.timeout):
                while message.get("more_body", False):
                    message = await _next(receive)
                    part = message.get("body", b"")
                    size += len(part)
                    if size > self.max_bytes:
                        raise self._too_large()
                    parts.append(part)
        except TimeoutError as error:
            raise BodyTooSlow(f"the body did not arrive within {self.timeout:g} seconds") from error
        return self._checked(b"".join(parts))

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


async def _next(receive: Receive) -> dict[str, Any]:
    message: dict[str, Any] = await receive()
    if message["type"] == "http.disconnect":
        raise Cancelled("the client went away")
    return message


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
