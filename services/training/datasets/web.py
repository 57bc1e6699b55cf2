"""http: and https: URLs, fetched only from public addresses.

A host's name is resolved once, every address is checked, the connection goes to the address that was checked, and each
redirection is checked again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from mesh.addresses import AddressGuard, AddressRefused
from mesh.errors import BackendUnavailable, InvalidField
from services.training.datasets.sources import Opened

_REDIRECTIONS: Final = 5


class Web:
    """Fetches files from hosts that a guard lets through; ``timeout_s`` is seconds for each wait for bytes."""

    def __init__(self, guard: AddressGuard, timeout_s: float) -> None:
        """Keep the limits."""
        self._guard = guard
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def open(self, url: str, path: str) -> AsyncGenerator[Opened]:
        """Fetch a file.

        Raises:
            InvalidField: the URL is not allowed, or the host has no such file.
            BackendUnavailable: the host does not answer.
        """
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=self._timeout_s) as client:
                response, name = await self._get(client, httpx.URL(url), path)
                try:
                    yield Opened(_body(response), response.headers.get("content-type", ""), name)
                finally:
                    await response.aclose()
        except httpx.InvalidURL as error:
            raise InvalidField(path, "a valid URL is needed") from error
        except httpx.HTTPError as error:
            raise BackendUnavailable("the dataset's host can't be reached") from error

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL, path: str) -> tuple[httpx.Response, str]:
        """Return the response that has the file, and the path of its URL."""
        for _ in range(_REDIRECTIONS + 1):
            address = await self._allowed(url, path)
            request = client.build_request(
                "GET",
                url.copy_with(host=address, userinfo=b""),
                headers={"host": url.netloc.decode("ascii"), "accept-encoding": "identity"},
                # the certificate has to be the named host's
                extensions={"sni_hostname": url.host},
            )
            response = await client.send(request, stream=True)
            if response.has_redirect_location:
                await response.aclose()
                url = url.join(response.headers["location"])
                continue
            if response.status_code != 200:
                await response.aclose()
                raise InvalidField(path, f"a file is needed; the host answered {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                await response.aclose()
                raise InvalidField(path, "the host sent a compressed file though none was asked for")
            return response, url.path
        raise InvalidField(path, f"at most {_REDIRECTIONS} redirections are followed")

    async def _allowed(self, url: httpx.URL, path: str) -> str:
        """Return the address to connect to.

        Raises:
            InvalidField: the host has one that is not public.
        """
        if url.scheme not in {"http", "https"} or not url.host:
            raise InvalidField(path, "a URL of http: or https: is needed")
        try:
            return await self._guard.address_of(url.host, url.port or (443 if url.scheme == "https" else 80))
        except AddressRefused as error:
            raise InvalidField(path, error.expected) from error


async def _body(response: httpx.Response) -> AsyncGenerator[bytes]:
    async for part in response.aiter_raw():
        yield part
