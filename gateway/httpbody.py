"""Serves RPCs that answer with google.api.HttpBody: the body is the bytes themselves, of the media type that is stated.

Such bytes are somebody's, so a browser is told to believe the type, to run nothing of them and to load nothing for
them; what it can't show that way is offered as a file. A parameter ``name`` of the type is the file's name.
"""

from __future__ import annotations

import asyncio
import re
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Final
from urllib.parse import quote

from google.api.httpbody_pb2 import HttpBody

from gateway.endpoint import RpcEndpoint, Streaming
from gateway.errors import Headers
from gateway.exchange import Exchange
from gateway.upstream import Call
from mesh.errors import MeshError

FULL_NAME: Final = "google.api.HttpBody"
_POLICY: Final = b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
_HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", _POLICY),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
]
_SHOWN: Final = frozenset({"application/json", "application/jsonl"})
_ANYTHING: Final = "application/octet-stream"
_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+ *(;|$)")


class BodyEndpoint(RpcEndpoint):
    """One HTTP binding of an RPC whose answer, or stream of answers, is a body."""

    async def _reply(self, exchange: Exchange, data: bytes) -> None:
        body = HttpBody.FromString(data)
        content_type, headers = _described(body.content_type)
        await exchange.respond(200, content_type, body.data, headers)

    def _answer(self, exchange: Exchange, data: bytes) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._reply(exchange, data))

    async def _stream(self, exchange: Exchange, call: Call, streaming: Streaming, *, asked_in_body: bool) -> None:
        source = self._parts.upstream.stream(call)
        try:
            while messages := await source.read():
                for message in messages:
                    body = HttpBody.FromString(message)
                    content_type, headers = _described(body.content_type)
                    if exchange.verb == "HEAD":
                        await exchange.respond(200, content_type, b"", headers)
                        return
                    if not exchange.begun:
                        await exchange.begin(content_type, headers)
                    await exchange.write(body.data)
            if not exchange.begun:
                await exchange.begin(*_described(""))
            await exchange.write(b"", last=True)
        except MeshError as error:
            if not exchange.begun:
                raise
            # without an end the connection is cut: nobody takes a part for the whole
            exchange.error = error
        finally:
            source.cancel()


def _described(content_type: str) -> tuple[bytes, Headers]:
    """Return the Content-Type of a body and the headers that belong to it."""
    told = Message()
    known = content_type.isascii() and content_type.isprintable() and _TYPE.match(content_type)
    told["content-type"] = content_type if known else _ANYTHING
    name = told.get_param("name", "")
    told.del_param("name")
    shown = told.get_content_type() in _SHOWN or told.get_content_maintype() in {"text", "image"}
    disposition = "inline" if shown else "attachment"
    if name:
        disposition += f"; filename*=UTF-8''{quote(collapse_rfc2231_value(name), safe='')}"
    return told["content-type"].encode(), [*_HEADERS, (b"content-disposition", disposition.encode())]
