"""An HTTP client of several gateways, as a balancer is one: it sends to those that say they are ready, in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import httpx

LOOK_S: Final = 0.25
"""Seconds between looks at whether a gateway is ready; less than gateways go on serving when they are not."""


class Balanced:
    """Requests go round over the gateways that are ready; one that refuses a connection got nothing of the request."""

    def __init__(self, urls: list[str]) -> None:
        self._clients = [httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) for url in urls]
        self._ready = [True for _ in urls]
        self._looked = [0.0 for _ in urls]
        self._turn = 0

    async def get(self, path: str) -> None:
        """Read something.

        Raises:
            httpx.HTTPError: it failed.
        """
        (await self._send("GET", path, None)).raise_for_status()

    async def post(self, path: str, body: Any) -> None:
        """Ask for something.

        Raises:
            httpx.HTTPError: it failed.
        """
        (await self._send("POST", path, body)).raise_for_status()

    async def events(self, path: str, body: Any) -> AsyncIterator[str]:
        """Yield the data of server-sent events until the stream says that it is over.

        Raises:
            httpx.HTTPError: the stream could not begin, or broke without a word.
        """
        response = await self._send("POST", path, body, stream=True)
        try:
            if response.is_error:
                await response.aread()
                response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield line.removeprefix("data: ")
        finally:
            await response.aclose()

    async def until_ready(self) -> None:
        """Wait until every gateway is ready.

        Raises:
            TimeoutError: one is not, for a minute.
        """
        async with asyncio.timeout(60):
            while not all([await self._is_ready(number) for number in range(len(self._clients))]):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients:
            await client.aclose()

    async def _send(self, method: str, path: str, body: Any, *, stream: bool = False) -> httpx.Response:
        for _ in self._clients:
            client = await self._next()
            try:
                return await client.send(client.build_request(method, path, json=body), stream=stream)
            except httpx.ConnectError:
                self._ready[self._clients.index(client)] = False
        raise httpx.ConnectError("no gateway takes connections")

    async def _next(self) -> httpx.AsyncClient:
        """Return the gateway whose turn it is."""
        for _ in self._clients:
            number = self._turn = (self._turn + 1) % len(self._clients)
            if await self._is_ready(number):
                return self._clients[number]
        return self._clients[self._turn]

    async def _is_ready(self, number: int) -> bool:
        now = time.monotonic()
        if now - self._looked[number] >= LOOK_S:
            self._looked[number] = now
            ready = False
            with suppress(httpx.TransportError):
                ready = (await self._clients[number].get("/readyz")).status_code == httpx.codes.OK
            # whoever asked meanwhile took what was known before
            self._ready[number] = ready
        return self._ready[number]
