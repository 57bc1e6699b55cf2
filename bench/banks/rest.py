"""A client of HTTP that costs next to nothing, so that it is the gateway that is measured."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson


class Rest:
    """One connection that is kept open; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, address: str) -> Rest:
        """Connect to host:port."""
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def post(self, path: str, body: Any) -> Any:
        """Return the JSON that a POST is answered with, which has to be a success with a known length."""
        content = orjson.dumps(body)
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        self._writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        said = await self._reader.readexactly(length)
        if not answer.startswith(b"http/1.1 200"):
            raise SystemExit(said.decode())
        return orjson.loads(said)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()
