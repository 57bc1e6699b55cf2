"""An HTTP site on loopback that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Site:
    """The answers by path, each used once but the last one; what was asked."""

    answers: dict[str, list[tuple[int, Any, Mapping[str, str]]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def tell(self, path: str, answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer a path with bytes or with JSON; None never answers."""
        self.answers.setdefault(path, []).append((status, answer, headers or {}))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            asked = await read(reader)
            self.asked.append(asked)
            known = self.answers.get(asked.path) or [(404, b"nothing is here", {})]
            status, answer, headers = known.pop(0) if len(known) > 1 else known[0]
            if answer is None:
                await reader.read()
                return
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            lines = [f"{name}: {value}" for name, value in headers.items()]
            head = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", "connection: close", *lines, "", ""]
            writer.write("\r\n".join(head).encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def read(reader: asyncio.StreamReader) -> Asked:
    """Return a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


@asynccontextmanager
async def serving_site() -> AsyncIterator[Site]:
    """Serve a site for the time of the block."""
    site = Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
