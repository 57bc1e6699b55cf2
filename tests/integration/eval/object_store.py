"""An S3 server on loopback: objects by ``/bucket/key`` that can be put, read in parts, listed and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import md5
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web


class ObjectStore:
    """The objects by their paths; requests without a signature are refused."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.url = ""

    async def answer(self, request: Any) -> web.Response:
        """Answer a request as S3 does."""
        if "authorization" not in request.headers:
            return _error(403, "AccessDenied")
        if request.method == "PUT":
            self.objects[request.path] = await _body(request)
            return web.Response(headers=_told(self.objects[request.path]))
        if request.method == "DELETE":
            self.objects.pop(request.path, None)
            return web.Response(status=204)
        if "list-type" in request.query:
            return self._list(request)
        data = self.objects.get(request.path)
        return _error(404, "NoSuchKey") if data is None else _part(request, data)

    def _list(self, request: Any) -> web.Response:
        bucket = f"/{request.path.strip('/')}/"
        keys = [path.removeprefix(bucket) for path in self.objects if path.startswith(bucket)]
        found = [key for key in sorted(keys) if key.startswith(request.query.get("prefix", ""))]
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[bucket + key])}</Size>"
            "<LastModified>2026-01-01T00:00:00Z</LastModified><ETag>x</ETag></Contents>"
            for key in found
        )
        body = f"<ListBucketResult><KeyCount>{len(found)}</KeyCount>{items}</ListBucketResult>"
        return web.Response(body=f"<?xml version='1.0'?>{body}".encode(), content_type="application/xml")


@asynccontextmanager
async def object_store() -> AsyncIterator[ObjectStore]:
    """Serve a store for the time of the block."""
    store = ObjectStore()
    # an application tells clients to go on that wait for leave to send a body
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", store.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield store
    finally:
        await runner.cleanup()


async def _body(request: Any) -> bytes:
    """Return what is put; S3's clients send it in signed chunks of their own where checksums follow at its end."""
    raw: bytes = await request.read()
    if "aws-chunked" not in request.headers.get("content-encoding", ""):
        return raw
    data = b""
    while raw:
        head, _, rest = raw.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if not size:
            break
        data, raw = data + rest[:size], rest[size + 2 :]
    return data


def _part(request: Any, data: bytes) -> web.Response:
    headers = _told(data)
    asked = request.headers.get("range", "").removeprefix("bytes=")
    if not asked:
        return web.Response(body=data, headers=headers)
    first, _, last = asked.partition("-")
    start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
    return web.Response(
        status=206,
        body=data[start : end + 1],
        headers=headers | {"Content-Range": f"bytes {start}-{end}/{len(data)}"},
    )


def _told(data: bytes) -> dict[str, str]:
    return {
        "ETag": f'"{md5(data, usedforsecurity=False).hexdigest()}"',
        "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        "Accept-Ranges": "bytes",
    }


def _error(status: int, code: str) -> web.Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return web.Response(status=status, body=body.encode(), content_type="application/xml")
