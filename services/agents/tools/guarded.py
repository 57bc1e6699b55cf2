"""HTTP that goes to checked addresses alone, whoever named the host.

The address that was checked is the one that is connected to, so that a name can't lead elsewhere a moment later, and
each redirection is a request of its own, which is checked again. Certificates have to be those of the name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import httpx2

from mesh.addresses import AddressGuard, AddressRefused

# a connection is not kept for another name that happens to have the same address
_LIMITS = httpx.Limits(max_keepalive_connections=0)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests of httpx to addresses that the guard allows.

    Raises:
        AddressRefused: by ``handle_async_request``, and so by the client's methods.
    """

    def __init__(self, guard: AddressGuard) -> None:
        """Connect without proxies."""
        self._guard = guard
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, limits=_LIMITS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the address of its host."""
        url = request.url
        address = await self._guard.address_of(*_place(url.scheme, url.host, url.port))
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=address, userinfo=b""),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


class GuardedTransport2(httpx2.AsyncBaseTransport):
    """The same for httpx2; its connections are kept, because a client of it calls one host.

    Answers besides event streams have at most ``most`` bytes; larger ones fail with ReadError.
    """

    def __init__(self, guard: AddressGuard, most: int) -> None:
        """Connect without proxies."""
        self._guard = guard
        self._most = most
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the address of its host."""
        url = request.url
        address = await self._guard.address_of(*_place(url.scheme, url.host, url.port))
        pinned = httpx2.Request(
            request.method,
            url.copy_with(host=address, userinfo=b""),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        response = await self._inner.handle_async_request(pinned)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream, self._most)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A stream of at most so many bytes."""

    def __init__(self, inner: httpx2.AsyncByteStream, most: int) -> None:
        self._inner = inner
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts."""
        async for part in self._inner:
            self._left -= len(part)
            if self._left < 0:
                raise httpx2.ReadError("the answer is too large")
            yield part

    async def aclose(self) -> None:
        """Close the stream."""
        await self._inner.aclose()


def _place(scheme: str, host: str, port: int | None) -> tuple[str, int]:
    if scheme not in {"http", "https"} or not host:
        raise AddressRefused("a URL of http: or https: is needed")
    return host, port or (443 if scheme == "https" else 80)
