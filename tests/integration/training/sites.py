"""Hosts on loopback that datasets come from: a web server, an S3 server and a Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

from aiohttp import web

COMMIT = "0" * 40


@dataclass
class Site:
    """A host with files by their paths; ``seen`` are the requests that it had, as ``METHOD PATH`` and headers."""

    files: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def note(self, request: web.Request) -> None:
        """Keep a request."""
        self.seen.append((f"{request.method} {request.path_qs}", {k.lower(): v for k, v in request.headers.items()}))

    def part(self, request: web.Request, data: bytes, headers: dict[str, str]) -> web.Response:
        """Return the part of a file that a request asks for."""
        asked = request.headers.get("range", "")
        if not asked.startswith("bytes="):
            return web.Response(body=data, headers=headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        found = {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"}
        return web.Response(status=206, body=data[start : end + 1], headers=found)


@asynccontextmanager
async def running(site: Site, handler: Any) -> AsyncIterator[Site]:
    """Serve a site for the time of the block."""
    server = web.Server(handler)
    runner = web.ServerRunner(server)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    assert listening._server is not None
    site.url = f"http://127.0.0.1:{listening._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield site
    finally:
        await runner.cleanup()


@asynccontextmanager
async def web_site(site: Site) -> AsyncIterator[Site]:
    """Serve files; ``/to/URL`` leads to another URL, ``/endless.jsonl`` is a line without an end."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        site.note(request)  # type: ignore[arg-type]
        if request.path.startswith("/to/"):
            return web.Response(status=302, headers={"Location": request.path_qs.removeprefix("/to/")})
        if request.path == "/endless.jsonl":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"x" * 2**20)
        if request.path not in site.files:
            return web.Response(status=404)
        return web.Response(body=site.files[request.path], content_type="application/octet-stream")

    async with running(site, answer) as made:
        yield made


@asynccontextmanager
async def s3_site(site: Site) -> AsyncIterator[Site]:
    """Serve objects as S3 does, by the paths ``/bucket/key``; those below ``/private/`` want a signature.

    Objects can be written, listed and deleted below ``/private/``.
    """

    async def answer(request: Any) -> web.Response:
        site.note(request)
        if request.path.startswith("/private/") and "authorization" not in request.headers:
            return _xml(403, "AccessDenied")
        if request.path.startswith("/private") and "authorization" in request.headers:
            written = await _changed(site, request)
            if written is not None:
                return written
        data = site.files.get(request.path)
        if data is None:
            return _xml(404, "NoSuchKey")
        headers = {
            "ETag": f'"{sha1(data).hexdigest()}"',
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "Content-Type": "binary/octet-stream",
            "Accept-Ranges": "bytes",
        }
        return site.part(request, data, headers)

    async with running(site, answer) as made:
        yield made


async def _changed(site: Site, request: Any) -> web.Response | None:
    """Write, delete or list objects; None for a request that does none of it."""
    if request.method == "PUT":
        if request.headers.get("expect", "").lower() == "100-continue":
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        site.files[request.path] = data = _unchunked(request, await request.read())
        return web.Response(headers={"ETag": f'"{sha1(data).hexdigest()}"'})
    if request.method == "POST" and "delete" in request.query:
        keys = re.findall("<Key>([^<]+)</Key>", (await request.read()).decode())
        for key in keys:
            site.files.pop(f"{request.path.rstrip('/')}/{key}", None)
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return web.Response(text=f"<DeleteResult>{gone}</DeleteResult>", content_type="application/xml")
    if request.method == "DELETE":
        site.files.pop(request.path, None)
        return web.Response(status=204)
    if request.method == "GET" and request.query.get("list-type") == "2":
        root = f"{request.path.rstrip('/')}/"
        names = [name.removeprefix(root) for name in site.files if name.startswith(root + request.query["prefix"])]
        when = "2026-01-01T00:00:00.000Z"
        found = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(site.files[root + name])}</Size>"
            f"<LastModified>{when}</LastModified></Contents>"
            for name in sorted(names)
        )
        body = f"<ListBucketResult><KeyCount>{len(names)}</KeyCount>{found}</ListBucketResult>"
        return web.Response(text=body, content_type="application/xml")
    return None


def _unchunked(request: Any, body: bytes) -> bytes:
    """Return the bytes of an upload without the frames that a client may put around them."""
    if not request.headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
        return body
    made = b""
    while True:
        head, _, body = body.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if not size:
            return made
        made, body = made + body[:size], body[size + 2 :]


def _xml(status: int, code: str) -> web.Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return web.Response(status=status, body=body.encode(), content_type="application/xml")


@asynccontextmanager
async def hub_site(site: Site) -> AsyncIterator[Site]:
    """Serve the files of the dataset ``owner/name`` as a Hugging Face hub does."""

    async def answer(request: Any) -> web.Response:
        site.note(request)
        path = request.path
        prefix = "/api/datasets/owner/name"
        if path == prefix or path.startswith(f"{prefix}/revision/"):
            files = [{"rfilename": name.lstrip("/")} for name in site.files]
            return web.json_response({"id": "owner/name", "sha": COMMIT, "siblings": files, "tags": []})
        if path.startswith(f"{prefix}/paths-info/"):
            asked = (await request.post()).getall("paths", [])
            if not asked:
                asked = (await request.json()).get("paths", [])
            return web.json_response([_entry(site, name) for name in asked if f"/{name}" in site.files])
        if path.startswith(f"{prefix}/tree/"):
            return web.json_response([_entry(site, name.lstrip("/")) for name in site.files])
        head = "/datasets/owner/name/resolve/"
        if path.startswith(head):
            name = "/" + path.removeprefix(head).partition("/")[2]
            if name in site.files:
                data = site.files[name]
                headers = {"ETag": f'"{sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
                return site.part(request, data, headers)
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        return web.Response(status=404, headers={"X-Error-Code": "RepoNotFound"})

    async with running(site, answer) as made:
        yield made


def _entry(site: Site, name: str) -> dict[str, Any]:
    data = site.files[f"/{name}"]
    return {"type": "file", "path": name, "size": len(data), "oid": sha1(data).hexdigest()}
