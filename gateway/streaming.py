"""Passes the messages of a streaming call on to the client as they come.

Nothing is buffered here: the next message is read when the last one has been taken by the connection, so a slow client
slows the service down through gRPC's own flow control. In a silence heartbeats are sent. Until the first message or the
first heartbeat nothing is sent at all, so that a call that fails at once still gets its proper status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import Headers, failure_of, went_away
from gateway.exchange import Exchange
from gateway.framing import Framer
from gateway.upstream import MessageStream
from mesh.errors import MeshError

Encode = Callable[[bytes], bytes]
Values = Callable[[bytes], Sequence[bytes]]
EventId = Callable[[bytes], int | None]


@dataclass(frozen=True, slots=True)
class StreamForm:
    """How the messages of a stream become its response.

    ``values`` is None where each message is one value; else it gives the values of a message, which have no ids.
    ``event_id`` is None where events have no ids; ``heartbeat_s`` is the silence after which a heartbeat is due.
    """

    content_type: bytes
    framer: Framer
    encode: Encode
    values: Values | None
    event_id: EventId | None
    openai_errors: bool
    heartbeat_s: float


class StreamedResponse:
    """One streaming call on its way to the client."""

    def __init__(self, exchange: Exchange, source: MessageStream, form: StreamForm, headers: Headers) -> None:
        self._exchange = exchange
        self._source = source
        self._form = form
        self._headers = headers
        self._loop = asyncio.get_running_loop()
        self._last_write = self._loop.time()
        self._beating: asyncio.Task[None] | None = None
        self._timer = self._loop.call_at(self._last_write + form.heartbeat_s, self._beat)

    async def run(self) -> None:
        """Pass everything on until the stream ends, the call fails or the client goes away.

        Raises:
            MeshError: the call failed before anything was sent; the response is still to be made.
        """
        self._exchange.probe = self._probe
        try:
            await self._pass_on()
        except MeshError as error:
            await self._fail(error)
        except asyncio.CancelledError:
            error_or_none = self._exchange.aborted()
            if error_or_none is None:
                raise
            await self._fail(error_or_none)
        finally:
            self._timer.cancel()
            self._source.cancel()
            if self._beating is not None:
                self._beating.cancel()

    async def _pass_on(self) -> None:
        form = self._form
        encode, frame, event_id, values = form.encode, form.framer.value, form.event_id, form.values
        read = self._source.read
        while messages := await read():
            if values is not None:
                data = b"".join([frame(value, None) for message in messages for value in values(message)])
            elif event_id is None and len(messages) == 1:
                data = frame(encode(messages[0]), None)
            else:
                data = b"".join([frame(encode(message), event_id and event_id(message)) for message in messages])
            if data:
                await self._send(data)
        await self._send(form.framer.end(), last=True)

    async def _fail(self, error: MeshError) -> None:
        exchange = self._exchange
        if not exchange.begun:
            raise error
        exchange.error = error
        if not exchange.gone:
            told = failure_of(error, openai=self._form.openai_errors)
            await self._send(self._form.framer.failure(told.body), last=True)

    async def _send(self, data: bytes, *, last: bool = False) -> None:
        if self._beating is not None:
            await self._beating
            self._beating = None
        if last:
            self._timer.cancel()
        await self._write(data, last=last)

    async def _write(self, data: bytes, *, last: bool = False) -> None:
        self._last_write = self._loop.time()
        if not self._exchange.begun:
            await self._exchange.begin(self._form.content_type, self._headers)
        await self._exchange.write(data, last=last)

    def _probe(self) -> None:
        """Send a heartbeat at once; a client that may be gone is taken for that where there are no heartbeats."""
        if not self._form.framer.heartbeat:
            self._exchange.abort(went_away(), gone=True)
        elif self._beating is None or self._beating.done():
            self._beating = self._loop.create_task(self._write(self._form.framer.heartbeat))

    def _beat(self) -> None:
        """Send a heartbeat if the silence was long enough; look again when the next one may be due."""
        due = self._last_write + self._form.heartbeat_s
        # a write that still waits for a slow client needs no heartbeat behind it
        if self._loop.time() >= due and (self._beating is None or self._beating.done()):
            self._beating = self._loop.create_task(self._write(self._form.framer.heartbeat))
            due = self._loop.time() + self._form.heartbeat_s
        self._timer = self._loop.call_at(due, self._beat)
