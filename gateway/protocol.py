"""uvicorn's HTTP protocol with limits on the head of a request, which it has none of, and errors in the gateway's form.

A head that grows without end or never ends would otherwise hold memory and a connection for as long as a client likes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.errors import BadHead, HeadTooLarge, HeadTooSlow, failure_of
from gateway.gather import GatheringTransport
from mesh.errors import MeshError

HEAD_BYTES = 64 * 1024
HEAD_S = 20.0

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A head may have ``HEAD_BYTES`` bytes and take ``HEAD_S`` seconds, counted from its first byte."""

    _head_open = True
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None

    def connection_made(self, transport: Any) -> None:
        """Expect the first head; a client that connects and says nothing has as long as for a slow one."""
        super().connection_made(GatheringTransport(transport))
        self._expect_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer, and tell the request that runs that its client is gone."""
        self._disarm()
        super().connection_lost(exc)
        # uvicorn tells only the newest one, which waits in the pipeline where several were sent at once
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and look at what is still missing of a head."""
        super().data_received(data)
        if not self._head_open:
            if self._head_timer is not None:
                self._disarm()
            if self.cycle.response_complete and not self.transport.is_closing():
                # empty lines before the next head; uvicorn has stopped its own clock for them
                self._expect_rest()
        elif not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HeadTooLarge(f"the head of a request may have at most {HEAD_BYTES} bytes"))
            elif self._head_timer is None:
                self._expect_rest()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._head_open = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is complete."""
        self._head_open = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the form of all errors, and close."""
        self._refuse(BadHead("this is not a valid HTTP request"))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _expect_rest(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._give_up)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self._refuse(HeadTooSlow(f"the head did not arrive within {HEAD_S:g} seconds"))

    def _refuse(self, error: MeshError) -> None:
        """Answer with the error and close, unless a response is under way that it would run into."""
        told = failure_of(error, openai=False)
        if self._may_answer():
            head = (
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head % (told.status, _REASONS[told.status], len(told.body)) + told.body)
        self.transport.close()

    def _may_answer(self) -> bool:
        """Return whether nothing is under way, or just the request whose body can't be read, still unanswered."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return True
        return cycle is self._running and cycle.more_body and not cycle.response_started
