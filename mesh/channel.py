"""A channel that adds to every call what travels on: deadline, identity, request id, provider data.

It wraps a channel of the gRPC runtime and hands its call objects out unchanged, so that a stub behaves as on any other
channel; the runtime's own client interceptors would cost a task per call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import grpc
import grpc.aio

from mesh import deadline, metadata

Pairs: TypeAlias = Sequence[tuple[str, str | bytes]]


class Companion(Protocol):
    """Something that adds metadata to outgoing calls and may note their end: identity, telemetry."""

    def outgoing(self, path: str) -> tuple[Pairs, Callable[[Any], None] | None]:
        """Return the pairs for a call of ``/package.Service/Method`` and what gets its call object at its end."""
        ...


class PropagatingChannel(grpc.aio.Channel):
    """A gRPC channel whose calls carry on what the incoming call brought.

    Args:
        inner: the runtime's channel; it is closed with this one.
        companions: what adds metadata to the calls.
        timeout_s: seconds for a unary call that has neither a timeout nor a deadline around it; None for no limit.
        margin_s: seconds of the remaining deadline that are kept for the own answer.
    """

    def __init__(
        self, inner: grpc.aio.Channel, companions: Sequence[Companion], timeout_s: float | None, margin_s: float
    ) -> None:
        self._inner = inner
        self._companions = tuple(companions)
        self._timeout_s = timeout_s
        self._margin_s = margin_s

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the runtime's multi-callable with propagation."""
        return self._propagate(method, self._inner.unary_unary(method, *args, **kwargs), self._timeout_s)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the runtime's multi-callable with propagation; a stream has no default timeout."""
        return self._propagate(method, self._inner.unary_stream(method, *args, **kwargs), None)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the runtime's multi-callable with propagation; a stream has no default timeout."""
        return self._propagate(method, self._inner.stream_unary(method, *args, **kwargs), None)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the runtime's multi-callable with propagation; a stream has no default timeout."""
        return self._propagate(method, self._inner.stream_stream(method, *args, **kwargs), None)

    def _propagate(self, method: str, start: Any, default_s: float | None) -> Any:
        margin_s = self._margin_s

        def call(*request: Any, timeout: float | None = None, metadata: Pairs | None = None, **options: Any) -> Any:
            left = deadline.budget(default_s if timeout is None else timeout, margin_s)
            if left is not None and left <= 0:
                # the runtime would round it up and send the call nevertheless
                raise _late()
            pairs, watchers = self._compose(method, metadata)
            made = start(*request, timeout=left, metadata=pairs, **options)
            for ended in watchers:
                made.add_done_callback(ended)
            return made

        return call

    def _compose(self, method: str, own: Pairs | None) -> tuple[Pairs, list[Callable[[Any], None]]]:
        """Return the metadata of a call, where what the caller gives wins over what would be passed on."""
        pairs: list[tuple[str, str | bytes]] = [*metadata.passed_on()]
        watchers = []
        for companion in self._companions:
            more, ended = companion.outgoing(method)
            pairs += more
            if ended is not None:
                watchers.append(ended)
        if not own:
            return pairs, watchers
        given = dict(own)
        for key, _ in pairs:
            if key in given:
                pairs = [pair for pair in pairs if pair[0] not in given]
                break
        pairs += own
        return pairs, watchers

    async def close(self, grace: float | None = None) -> None:
        """Close the channel; calls under way have ``grace`` seconds to finish."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the connection, and connect if asked to."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another one."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel is connected."""
        await self._inner.channel_ready()

    async def __aenter__(self) -> Self:
        """Return the channel; leaving the block closes it."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Close the channel."""
        await self.close()


def _late() -> grpc.aio.AioRpcError:
    """Return what the runtime raises for a deadline that passed."""
    none = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, none, none, details="no time is left for the call")
