"""Serves the gateway over HTTP and ends it in order: unready first, then no new connections, then the last requests.

After SIGTERM or SIGINT ``/readyz`` answers 503 for ``drain_delay_s``, while everything is still served; then the port
is closed and what is under way has ``drain_grace_s`` to finish. What is left then is ended with UNAVAILABLE, as the
last event of a stream, so that clients know that it was not the end.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import ssl
import threading
from contextlib import suppress

from gateway.admission import Admission
from gateway.config import ListenConfig
from gateway.front import Front
from gateway.http1.connection import HttpConnection, Origin, Serve
from gateway.proxies import Proxies
from mesh.config import ConfigError
from mesh.renewal import renewed_context

log = logging.getLogger(__name__)

# what a hurried answer to those that were aborted may take before connections are cut
_LAST_WORDS_S = 2.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _tls(config: ListenConfig) -> ssl.SSLContext | None:
    """Return how HTTPS is spoken, None for HTTP; renewed files count from the next connection on.

    Raises:
        ConfigError: a file can't be read, or they are no pair.
    """
    if config.certificate is None or config.key is None:
        return None
    certificate, key = config.certificate, config.key

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["http/1.1"])
        return context

    try:
        return renewed_context((certificate, key), make)
    except ssl.SSLError as error:
        raise ConfigError(["HTTPS_CERTIFICATE and HTTPS_KEY are no pair of PEM files"]) from error
    except OSError as error:
        raise ConfigError([f"HTTPS_CERTIFICATE or HTTPS_KEY can't be read: {error.strerror}"]) from error


class HttpServer:
    """An HTTP server that drains.

    Attributes:
        started: whether it listens, or did.
        ending: whether it listens no more.
    """

    def __init__(self, front: Front, admission: Admission, config: ListenConfig) -> None:
        self.started = False
        self.ending = False
        self.serve_exchange: Serve = front.serve
        self.light = front.light
        self.idle_s = float(config.keep_alive_s)
        self.connections: set[HttpConnection] = set()
        self._front = front
        self._admission = admission
        self._config = config
        trusted = config.trusted_proxies
        self.origin: Origin | None = Proxies(trusted).origin if trusted else None
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False
        self._close = asyncio.Event()
        self._gone = asyncio.Event()
        self._hurried = False

    @property
    def address(self) -> str:
        """Where clients reach the gateway, with the port that was chosen if the configured one is 0."""
        assert self._server is not None
        host = self._config.bind.rpartition(":")[0]
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def serve(self) -> None:
        """Serve until a signal, ``drain`` or ``stop`` ends it.

        Raises:
            ConfigError: the address can't be listened on, or a file for HTTPS is of no use.
        """
        self._loop = loop = asyncio.get_running_loop()
        self._server = await self._listen(loop)
        # elsewhere signals are somebody else's
        signals = _SIGNALS if threading.current_thread() is threading.main_thread() else ()
        for each in signals:
            loop.add_signal_handler(each, self._interrupted, each)
        try:
            self.started = True
            log.info("serving on %s", self.address, extra={"address": self.address})
            await self._close.wait()
            await self._shut(self._server)
        finally:
            for each in signals:
                loop.remove_signal_handler(each)
            await self._front.stop()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        config = self._config
        tls = _tls(config)
        try:
            return await loop.create_server(
                lambda: HttpConnection(self), config.host, config.port, backlog=config.backlog, ssl=tls
            )
        except OSError as error:
            # of a name that can't be resolved as well
            reason = "is it in use?" if error.errno == errno.EADDRINUSE else error.strerror
            raise ConfigError([f"BIND: {config.bind} can't be listened on: {reason}"]) from error

    def drain(self) -> None:
        """End in order; a no-op when it has begun already."""
        if not self._draining:
            self._draining = True
            self._admission.begin_draining()
            asyncio.get_running_loop().call_later(self._config.drain_delay_s, self._close.set)

    def stop(self) -> None:
        """End at once; may be called from any thread."""
        self._draining = self._hurried = True
        if self._loop is not None:
            # it may have ended by itself
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hurry)

    def _hurry(self) -> None:
        self._close.set()
        self._gone.set()

    def entered(self, connection: HttpConnection) -> None:
        """Note a new connection."""
        self.connections.add(connection)

    def left(self, connection: HttpConnection) -> None:
        """Note that a connection is closed."""
        self.connections.discard(connection)
        if not self.connections:
            self._gone.set()

    def _interrupted(self, number: int) -> None:
        if self._draining and number == signal.SIGINT:
            self.stop()
        else:
            self.drain()

    async def _shut(self, server: asyncio.Server) -> None:
        """Let what is under way finish, end it after the grace, and cut it after its last words."""
        self.ending = True
        server.close()
        for connection in list(self.connections):
            connection.retire()
        if not self._hurried:
            await self._until_gone(self._config.drain_grace_s)
        if self.connections and not self._hurried:
            self._admission.abort_all()
            await self._until_gone(_LAST_WORDS_S)
        for connection in list(self.connections):
            connection.cut()
        await self._until_gone(_LAST_WORDS_S)

    async def _until_gone(self, seconds: float) -> None:
        """Wait, for so long, until there are no connections."""
        self._gone.clear()
        if self.connections:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._gone.wait()
