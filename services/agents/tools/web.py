"""Calls of HTTP APIs: bounded in time and size, tried again only where that does no harm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from mesh.addresses import AddressRefused
from mesh.errors import BackendUnavailable, InvalidField
from services.agents.tools.tool import ToolFailed

_TEMPORARY: Final = frozenset({429, 502, 503, 504})
_SHOWN: Final = 500


class _Again(Exception):
    """Something that may be gone with the next try; ``told`` is what to raise if it is not."""

    def __init__(self, told: Exception) -> None:
        super().__init__()
        self.told = told


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``body`` is sent as JSON, None for none; ``secrets`` are kept out of errors that repeat them."""

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back with a status of 200 to 299."""

    data: bytes
    media_type: str

    def json(self) -> Any:
        """Return the JSON that it holds.

        Raises:
            ToolFailed: it is none.
        """
        try:
            return json.loads(self.data)
        except ValueError as error:
            raise ToolFailed("the service's answer is not JSON") from error


@dataclass(frozen=True, slots=True)
class Web:
    """Sends requests by a client; ``most`` is bytes of an answer, ``attempts`` tries of what may be repeated."""

    client: httpx.AsyncClient
    most: int
    attempts: int = 3
    wait_s: float = 0.2

    async def send(self, request: Request, *, idempotent: bool) -> Reply:
        """Send a request; one that is idempotent is tried again where nobody answers or not now.

        Raises:
            ToolFailed: the answer is an error, or too large.
            BackendUnavailable: nobody answers.
            InvalidField: the address is not allowed.
        """
        attempts = AsyncRetrying(
            stop=stop_after_attempt(self.attempts if idempotent else 1),
            wait=wait_exponential_jitter(multiplier=self.wait_s, max=5.0, jitter=self.wait_s),
            retry=retry_if_exception_type(_Again),
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._once(request)
        except _Again as again:
            raise again.told from again
        raise AssertionError("there is one attempt at least")

    async def _once(self, request: Request) -> Reply:
        try:
            made = self.client.build_request(
                request.method,
                # what the address asks for already stays
                httpx.URL(request.url).copy_merge_params(dict(request.params)),
                headers=dict(request.headers),
                json=request.body,
            )
            response = await self.client.send(made, stream=True)
            try:
                return await self._read(response, request.secrets)
            finally:
                await response.aclose()
        except AddressRefused as error:
            raise InvalidField("execution_config.url", error.expected) from error
        except httpx.TooManyRedirects as error:
            raise ToolFailed("the service redirects in a circle") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidField("execution_config.url", "a URL of http: or https: is needed") from error
        except httpx.HTTPError as error:
            # httpx names addresses in some of its texts
            raise _Again(BackendUnavailable("the service behind the tool can't be reached")) from error

    async def _read(self, response: httpx.Response, secrets: tuple[str, ...]) -> Reply:
        data = bytearray()
        async for part in response.aiter_bytes():
            data += part
            if len(data) > self.most:
                raise ToolFailed(f"the service's answer is larger than {self.most} bytes")
        if not 200 <= response.status_code < 300:
            failed = ToolFailed(
                f"the service answered {response.status_code}: {_shown(bytes(data), secrets)}".rstrip(": ")
            )
            raise _Again(failed) if response.status_code in _TEMPORARY else failed
        return Reply(bytes(data), response.headers.get("content-type", ""))


def _shown(data: bytes, secrets: tuple[str, ...]) -> str:
    text = data.decode("utf-8", "replace")
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return " ".join(text[:_SHOWN].split())
