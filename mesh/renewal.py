"""Takes up renewed certificates without a restart: files are looked at again, and connections made with the new ones.

Connections that stand keep the certificates that they began with; a server asks clients for new ones at the end of
``MAX_CONNECTION_AGE_S``.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import grpc
import grpc.aio

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Prints = tuple[tuple[int, int, int], ...]

LOOK_S: Final = 2.0
"""Seconds between looks at the files of a client."""
_GRACE_S: Final = 3600.0


class Renewal(Generic[Made]):
    """Something made of files, which is made anew once they are others.

    Args:
        files: what to look at.
        make: makes it; raises OSError or ValueError where the files can't be read or don't belong together, as happens
            while they are being replaced. What there was stays in use then.
    """

    def __init__(self, files: Sequence[Path], make: Callable[[], Made]) -> None:
        self._files = tuple(files)
        self._make = make
        self._used = self._failed = self._prints()

    def fresh(self) -> Made | None:
        """Return what is made of the files if they have changed since, else None."""
        try:
            now = self._prints()
            if now == self._used:
                return None
            made = self._make()
        except (OSError, ValueError) as error:
            if now != self._failed:
                self._failed = now
                log.warning("changed certificates can't be used (yet): %s", type(error).__name__)
            return None
        self._used = now
        log.info("took up renewed certificates")
        return made

    def _prints(self) -> Prints:
        """Return what tells one state of the files from another."""
        found = (file.stat() if file.exists() else None for file in self._files)
        return tuple((0, 0, 0) if each is None else (each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def renewed_context(files: Sequence[Path], make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the TLS context of a server that shows, and trusts, what the files hold at each handshake.

    Args:
        files: what to look at.
        make: makes a context of them, see :class:`Renewal`.
    """
    first = latest = make()
    renewal = Renewal(files, make)

    def renew(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        nonlocal latest
        latest = connection.context = renewal.fresh() or latest

    # called at each handshake, with a name or without
    first.sni_callback = renew
    return first


class RenewedChannel(grpc.aio.Channel):
    """A channel that is replaced when its files are others; calls under way stay where they began.

    Args:
        first: the channel to begin with.
        renewal: makes the next ones.
        clock: seconds from any origin that never go back.
    """

    def __init__(
        self,
        first: grpc.aio.Channel,
        renewal: Renewal[grpc.aio.Channel],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = first
        self._renewal = renewal
        self._clock = clock
        self._next = clock() + LOOK_S
        self._retiring: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """Return the channel that new calls take."""
        now = self._clock()
        if now >= self._next:
            self._next = now + LOOK_S
            fresh = self._renewal.fresh()
            if fresh is not None:
                task = asyncio.ensure_future(self._inner.close(_GRACE_S))
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
                self._inner = fresh
        return self._inner

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Return a multi-callable over the channel of the time."""
        return _Renewed(self.current, "unary_unary", args, kwargs)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """Return a multi-callable over the channel of the time."""
        return _Renewed(self.current, "unary_stream", args, kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Return a multi-callable over the channel of the time."""
        return _Renewed(self.current, "stream_unary", args, kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """Return a multi-callable over the channel of the time."""
        return _Renewed(self.current, "stream_stream", args, kwargs)

    async def close(self, grace: float | None = None) -> None:
        """Close the channel; calls under way have ``grace`` seconds to finish."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(self._inner.close(grace), *self._retiring, return_exceptions=True)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the connection, and connect if asked to."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state is another one."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel is connected."""
        await self.current().channel_ready()

    async def __aenter__(self) -> RenewedChannel:
        """Return the channel; leaving the block closes it."""
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Close the channel."""
        await self.close()


class _Renewed:
    """A multi-callable of a kind that is made again for each channel."""

    def __init__(
        self, current: Callable[[], grpc.aio.Channel], kind: str, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        self._current = current
        self._make = (kind, tuple(args), kwargs)
        self._channel: grpc.aio.Channel | None = None
        self._start: Any = None

    def __call__(self, *request: Any, **options: Any) -> Any:
        channel = self._current()
        if channel is not self._channel:
            kind, args, kwargs = self._make
            self._channel, self._start = channel, getattr(channel, kind)(*args, **kwargs)
        return self._start(*request, **options)
