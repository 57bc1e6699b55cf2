"""A host of model files on loopback, in the words of S3 and in those of the hub: what their clients ask, and no more.

It can be told to break connections off, as a network does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from aiohttp import web

REPOSITORY = "owner/tiny"
BUCKET = "models"
COMMIT = "0" * 40


@dataclass
class ModelSite:
    """Files by name.

    ``cut_after`` is how many bytes of a file are given before the connection breaks, None for all of them; ``ranges``
    are the first bytes that were asked for, with the file.
    """

    files: Mapping[str, bytes]
    cut_after: int | None = None
    ranges: list[tuple[str, int]] = field(default_factory=list)
    address: str = ""

    def application(self) -> web.Application:
        """Return the server's routes."""
        site = web.Application()
        site.router.add_get(f"/api/models/{REPOSITORY}", self.repository)
        site.router.add_get(f"/api/models/{REPOSITORY}/revision/{{revision}}", self.repository)
        site.router.add_get(f"/api/models/{REPOSITORY}/tree/{{revision}}", self.tree)
        site.router.add_get(f"/api/models/{REPOSITORY}/tree/{{revision}}/{{path:.*}}", self.tree)
        site.router.add_post(f"/api/models/{REPOSITORY}/paths-info/{{revision}}", self.paths)
        site.router.add_get(f"/{REPOSITORY}/resolve/{{revision}}/{{path:.*}}", self.file)
        site.router.add_get("/api/models/{other:.*}", self.absent)
        site.router.add_get(f"/{BUCKET}", self.listing)
        site.router.add_get(f"/{BUCKET}/", self.listing)
        site.router.add_get(f"/{BUCKET}/tiny/{{path:.*}}", self.file)
        return site

    async def repository(self, request: web.Request) -> web.Response:
        """Tell that the repository is there."""
        siblings = [{"rfilename": name} for name in self.files]
        return web.json_response({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "private": False})

    async def absent(self, request: web.Request) -> web.Response:
        """Tell that there is no such repository."""
        return web.json_response({"error": "no"}, status=404, headers={"X-Error-Code": "RepoNotFound"})

    async def tree(self, request: web.Request) -> web.Response:
        """List all files."""
        return web.json_response([self._entry(name) for name in self.files])

    async def paths(self, request: web.Request) -> web.Response:
        """Tell about some files, given as a form or as JSON."""
        if request.content_type == "application/json":
            wanted = (await request.json())["paths"]
        else:
            wanted = (await request.post()).getall("paths", [])
        return web.json_response([self._entry(name) for name in wanted if name in self.files])

    def _entry(self, name: str) -> dict[str, object]:
        return {"type": "file", "path": name, "size": len(self.files[name]), "oid": "1" * 40}

    async def listing(self, request: web.Request) -> web.Response:
        """List a bucket, as ListObjectsV2 does."""
        prefix = request.query.get("prefix", "")
        names = [f"tiny/{name}" for name in self.files if f"tiny/{name}".startswith(prefix)]
        contents = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;1&quot;</ETag><Size>{len(self.files[name.removeprefix('tiny/')])}</Size></Contents>"
            for name in names
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(names)}</KeyCount>"
            f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        )
        return web.Response(text=body, content_type="application/xml")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Give a file or a range of it."""
        name = request.match_info["path"]
        if name not in self.files:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        whole = self.files[name]
        asked = request.http_range
        first, behind = asked.start or 0, len(whole) if asked.stop is None else min(asked.stop, len(whole))
        ranged = "Range" in request.headers
        headers = {"ETag": '"1"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if ranged:
            headers["Content-Range"] = f"bytes {first}-{behind - 1}/{len(whole)}"
        response = web.StreamResponse(status=206 if ranged else 200, headers=headers)
        response.content_length = behind - first
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        self.ranges.append((name, first))
        last = behind if self.cut_after is None else max(first, min(behind, self.cut_after))
        await response.write(whole[first:last])
        if last < behind and request.transport is not None:
            request.transport.close()
        return response


@asynccontextmanager
async def running(site: ModelSite) -> AsyncIterator[ModelSite]:
    """Serve the site and tell it its address."""
    runner = web.AppRunner(site.application())
    await runner.setup()
    try:
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        host, port = runner.addresses[0][:2]
        site.address = f"http://{host}:{port}"
        yield site
    finally:
        await runner.cleanup()
