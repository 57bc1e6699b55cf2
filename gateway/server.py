"""Runs the gateway on uvicorn and ends it in order: unready first, then no new connections, then the last requests.

After SIGTERM or SIGINT ``/readyz`` answers 503 for ``drain_delay_s``, while everything is still served; then the port
is closed and what is under way has ``drain_grace_s`` to finish. What is left then is ended with UNAVAILABLE, as the
last event of a stream, so that clients know that it was not the end.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from types import FrameType

import uvicorn

from gateway.admission import Admission
from gateway.config import ListenConfig
from gateway.front import Front
from gateway.protocol import LimitedProtocol

log = logging.getLogger(__name__)

# what a hurried answer to those that were aborted may take before connections are cut
_LAST_WORDS_S = 2


class HttpServer(uvicorn.Server):
    """A uvicorn server that drains."""

    def __init__(self, app: Front, admission: Admission, config: ListenConfig) -> None:
        super().__init__(_uvicorn_config(app, config))
        self._admission = admission
        self._listen = config
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: list[asyncio.TimerHandle] = []

    @property
    def address(self) -> str:
        """Where clients reach the gateway, with the port that was chosen if the configured one is 0."""
        host = self._listen.bind.rpartition(":")[0]
        return f"{host}:{self.servers[0].sockets[0].getsockname()[1]}"

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]
        log.info("serving on %s", self.address, extra={"address": self.address})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal; a second SIGINT ends it all at once."""
        if self._loop is None or (self._ending and sig == signal.SIGINT):
            super().handle_exit(sig, frame)
            self.should_exit = self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """End in order; a no-op when it has begun already."""
        if self._ending or self._loop is None:
            return
        self._admission.begin_draining()
        config = self._listen
        self._ending = [
            self._loop.call_later(config.drain_delay_s, self._close),
            self._loop.call_later(config.drain_delay_s + config.drain_grace_s, self._admission.abort_all),
        ]

    def _close(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Wait for what is under way, and cut it after the grace."""
        await super().shutdown(sockets)  # type: ignore[arg-type]
        for handle in self._ending:
            handle.cancel()


def _uvicorn_config(app: Front, config: ListenConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http=LimitedProtocol,
        ws="none",
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies),
        lifespan="on",
        interface="asgi3",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="warning",
        timeout_keep_alive=config.keep_alive_s,
        timeout_graceful_shutdown=int(config.drain_grace_s) + _LAST_WORDS_S,
        backlog=config.backlog,
        ssl_certfile=config.certificate,
        ssl_keyfile=config.key,
    )
