"""Talks to OpenAI-compatible servers over HTTP: JSON in, JSON or server-sent events out.

Knows nothing about models and messages. Whatever goes wrong before the first byte of an answer is tried again a few
times where that may help; what goes wrong later never is.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import httpx

from mesh.errors import BackendUnavailable, MeshError
from services.inference.remote.key import Key
from services.inference.remote.openai_errors import refusal, refusal_in_stream

CONNECT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 300.0
RETRIED: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 8.0
EVENT_BYTES: Final = 16 * 1024 * 1024
DONE: Final = b"[DONE]"


def http_client() -> httpx.AsyncClient:
    """Return a client that waits for an answer as long as its caller does, within reason."""
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=None)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    return httpx.AsyncClient(timeout=timeout, limits=limits)


class OpenAIServers:
    """The servers of one model.

    Args:
        client: makes the connections.
        key: what the servers are shown.
        model_id: the model, for messages.
        retries: how often a request is sent again to the same server.
    """

    def __init__(self, client: httpx.AsyncClient, key: Key, model_id: str, retries: int) -> None:
        self._client = client
        self._key = key
        self._model_id = model_id
        self._retries = retries

    async def get(self, address: str, path: str) -> Any:
        """Return the JSON under a path; the errors are those of :meth:`post`."""
        async with self._answer("GET", address, path, None) as response:
            return _json(await response.aread())

    async def post(self, address: str, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON answer.

        Raises:
            BackendUnavailable: the server can't be reached, breaks off, or answers with an error of its own.
            MeshError: what the server refuses the request with.
        """
        async with self._answer("POST", address, path, body) as response:
            try:
                answer = _json(await response.aread())
            except httpx.RequestError as error:
                raise self._lost() from error
        if answer is None:
            raise BackendUnavailable(f"the server of model {self._model_id} gave an answer that can't be read")
        return answer

    async def events(self, address: str, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Any]:
        """Yield the JSON of each event up to ``[DONE]``, which a server may leave out after a finish reason.

        Closing the iterator closes the connection.

        Raises:
            BackendUnavailable: as for :meth:`post`, or the stream ends early.
            MeshError: what the server refuses the request or the rest of it with.
        """
        finished = False
        async with self._answer("POST", address, path, body) as response:
            try:
                async with aclosing(event_data(response.aiter_bytes())) as events:
                    async for data in events:
                        if data == DONE:
                            return
                        event = _json(data)
                        if not isinstance(event, dict):
                            raise BackendUnavailable(f"the server of model {self._model_id} sent what can't be read")
                        if event.get("error"):
                            raise refusal_in_stream(event, self._model_id)
                        finished = finished or any(c.get("finish_reason") for c in event.get("choices") or ())
                        yield event
            except httpx.RequestError as error:
                raise self._lost() from error
        if not finished:
            raise BackendUnavailable(f"the server of model {self._model_id} ended its answer early")

    @asynccontextmanager
    async def _answer(
        self, method: str, address: str, path: str, body: Mapping[str, Any] | None
    ) -> AsyncGenerator[httpx.Response]:
        """Send a request until it is answered well, and give the answer with its body unread."""
        headers = self._key.headers(address)
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            headers["content-type"] = "application/json"
        url = f"{address.rstrip('/')}/{path}"
        request = self._client.build_request(method, url, content=content, headers=headers)
        response = await self._accepted(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def _accepted(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(self._retries + 1):
            again = attempt < self._retries
            try:
                response = await self._client.send(request, stream=True)
            except httpx.RequestError as error:
                if not again or isinstance(error, httpx.ReadTimeout):
                    raise self._lost() from error
                await asyncio.sleep(_pause(attempt, None))
                continue
            if response.status_code < 400:
                return response
            wanted = _retry_after(response)
            if not again or response.status_code not in RETRIED or (wanted or 0.0) > LONGEST_PAUSE_SECONDS:
                raise await self._refused(response, wanted)
            await response.aclose()
            await asyncio.sleep(_pause(attempt, wanted))
        raise AssertionError("the last attempt returns or raises")

    async def _refused(self, response: httpx.Response, retry_after_s: float | None) -> MeshError:
        try:
            body = _json(await response.aread())
        except httpx.RequestError:
            body = None  # the status says enough
        finally:
            await response.aclose()
        return refusal(response.status_code, body, self._model_id, retry_after_s)

    def _lost(self) -> BackendUnavailable:
        return BackendUnavailable(f"the server of model {self._model_id} can't be reached or went away")


async def event_data(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield the data of each server-sent event; comments and other fields are passed over.

    Lines end at LF or CR LF alone: JSON may hold the other line ends of Unicode as they are.

    Raises:
        BackendUnavailable: an event is larger than 16 MiB.
    """
    rest = b""
    data: list[bytes] = []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > EVENT_BYTES:
            raise BackendUnavailable("the server of the model sent an event that is too large")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line.removeprefix(b"data:").removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data.clear()
    if data:
        yield b"\n".join(data)


def _json(text: bytes) -> Any:
    """Return the value of a JSON text, None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the server asks to wait, None if it does not say so in seconds."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None


def _pause(attempt: int, wanted: float | None) -> float:
    backoff = min(FIRST_PAUSE_SECONDS * 2.0**attempt, LONGEST_PAUSE_SECONDS)
    return wanted if wanted is not None else backoff * random.uniform(0.5, 1.0)
