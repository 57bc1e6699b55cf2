"""Upstreams over our own HTTP/2, which cost a call a tenth of what the gRPC runtime does.

For plain text to ``host:port`` only; an address with a scheme, and TLS, are for `gateway.upstream`. Deadlines,
identity and traces travel as they do there, because both are behind the mesh's client.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from gateway.http2.call import Http2Call
from gateway.upstream import Call
from mesh.client import Client
from mesh.errors import from_rpc
from mesh.methods import repeatable

Start = Callable[..., Http2Call]

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.1, 2.0
# as in the service config of the runtime's channels: retries stop once about a tenth of the calls fail
_TOKENS, _TOKENS_PER_SUCCESS = 100.0, 0.1


class LeanStream:
    """A streaming call; one that nobody has seen is sent anew, once."""

    def __init__(self, start: Start, call: Call) -> None:
        _, self._request, self._metadata, self._timeout = call
        self._start = start
        self._began = time.monotonic()
        self._repeated = self._cancelled = False
        self._call = start(self._request, timeout=self._timeout, metadata=self._metadata)

    async def read(self) -> Sequence[bytes]:
        """Return all messages that are there, at least one; none at the end."""
        try:
            return await self._read()
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def _read(self) -> Sequence[bytes]:
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError:
            if self._repeated or not self._call.refused:
                raise
        self._repeated = True
        await _back_off(1)
        timeout = None if self._timeout is None else self._timeout - (time.monotonic() - self._began)
        self._call = self._start(self._request, timeout=timeout, metadata=self._metadata)
        if self._cancelled:
            self._call.cancel()
        return await self._call.read()

    def cancel(self) -> None:
        """End the call now."""
        self._cancelled = True
        self._call.cancel()


class LeanUpstream:
    """One service behind a channel, which the caller owns and closes.

    Args:
        channel: a channel of the mesh's client over Http2Channel.
        attempts: tries of an RPC that may be repeated, the first included.
    """

    def __init__(self, channel: grpc.aio.Channel, attempts: int) -> None:
        # its multi-callables are typed for calls of the runtime; these are Http2Calls
        self._channel: Any = channel
        self._attempts = attempts
        self._repeatable = frozenset(f"/{service}/{name}" for service, name in repeatable())
        self._tokens = _TOKENS
        self._unary: dict[str, Start] = {}
        self._stream: dict[str, Start] = {}

    async def unary(self, call: Call) -> bytes:
        """Return the response of a unary call, which is repeated where its contract allows that."""
        path, request, metadata, timeout = call
        start = self._unary.get(path)
        if start is None:
            start = self._unary[path] = self._channel.unary_unary(path)
        attempts = self._attempts if path in self._repeatable else 1
        attempt = 0
        began = time.monotonic()
        while True:
            attempt += 1
            started: Http2Call | None = None
            if attempt > 1 and timeout is not None:
                timeout += began - time.monotonic()
                began = time.monotonic()
            try:
                started = start(request, timeout=timeout, metadata=metadata)
                try:
                    answer = await started.whole()
                except asyncio.CancelledError:
                    started.cancel()
                    raise
            except grpc.aio.AioRpcError as error:
                self._tokens = max(0.0, self._tokens - 1)
                unavailable = error.code() is grpc.StatusCode.UNAVAILABLE
                again = attempt < attempts and unavailable and self._tokens > _TOKENS / 2
                # a call that nobody has seen may be sent anew whatever it does
                if not again and not (attempt == 1 and started is not None and started.refused):
                    raise from_rpc(error) from error
            else:
                if self._tokens < _TOKENS:
                    self._tokens += _TOKENS_PER_SUCCESS
                return answer
            await _back_off(attempt)

    def stream(self, call: Call) -> LeanStream:
        """Start a call that streams responses."""
        path = call[0]
        start = self._stream.get(path)
        if start is None:
            start = self._stream[path] = self._channel.unary_stream(path)
        return LeanStream(start, call)


class LeanUpstreams:
    """The services of a deployment over the mesh's client, one channel for each address.

    Args:
        client: makes channels as ``http2_channel`` does.
        attempts: tries of an RPC that may be repeated.
    """

    def __init__(self, client: Client, attempts: int) -> None:
        self._client = client
        self._attempts = attempts

    def at(self, address: str) -> LeanUpstream:
        """Return the service at an address; it connects with its first call."""
        return LeanUpstream(self._client.channel(address), self._attempts)

    def state(self, address: str) -> str:
        """Return the state of the connection in a word, "ready" say, and connect if there is none yet."""
        return self._client.channel(address).get_state(try_to_connect=True).name.lower()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()


async def _back_off(attempt: int) -> None:
    """Wait before the attempt that comes after this one, the first of which is 1."""
    longest = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (attempt - 1))
    await asyncio.sleep(random.uniform(0, longest))
