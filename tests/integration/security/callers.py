"""Calls any RPC of the contracts by its descriptor, as one tenant or another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mesh.client import Client
from mesh.contracts import ACTION, ROOT, contracts, file_set
from mesh.identity import Identity, acting_as

SECONDS = 30.0
SILENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: the name of its code, and the first message of the answer, if there was one."""

    code: str
    message: Message | None = None
    text: str = ""

    def __str__(self) -> str:
        """Return it for the message of an assertion."""
        return f"{self.code} {self.text or self.message}".strip()


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant in front of one server. ``address`` is where it is."""

    client: Client
    address: str
    identity: Identity

    async def call(self, rpc: MethodDescriptor, body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Answer:
        """Send a request as JSON, or those of a stream; return how it ended, and the first answer of a stream.

        A stream that follows something and stays silent has told nothing: that is OK without a message.
        """
        bodies = [body] if isinstance(body, Mapping) else body
        requests = [ParseDict(dict(each), GetMessageClass(rpc.input_type)()) for each in bodies]
        with acting_as(self.identity):
            try:
                return Answer("OK", await self._first(rpc, requests))
            except grpc.aio.AioRpcError as error:
                return Answer(error.code().name, text=error.details() or "")

    async def _first(self, rpc: MethodDescriptor, requests: Sequence[Message]) -> Message | None:
        channel, streams = self.client.channel(self.address), rpc.server_streaming
        kind = f"{'stream' if rpc.client_streaming else 'unary'}_{'stream' if streams else 'unary'}"
        start = getattr(channel, kind)(
            f"/{rpc.containing_service.full_name}/{rpc.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(rpc.output_type).FromString,
        )
        follows = rpc.name.startswith("Follow")
        call = start(
            _each(requests) if rpc.client_streaming else requests[0], timeout=SILENCE_S if follows else SECONDS
        )
        if not streams:
            message: Message = await call
            return message
        try:
            return await anext(aiter(call), None)
        except grpc.aio.AioRpcError as error:
            if follows and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return None
            raise
        finally:
            call.cancel()


async def _each(requests: Sequence[Message]) -> AsyncIterator[Message]:
    for request in requests:
        yield request


def services() -> dict[str, list[MethodDescriptor]]:
    """Return the RPCs of every service of the contracts, by its full name."""
    return {
        name: list(contracts().FindServiceByName(name).methods)
        for file in file_set().file
        if file.package.startswith(f"{ROOT}.")
        for name in (f"{file.package}.{service.name}" for service in file.service)
    }


def action(rpc: MethodDescriptor) -> int:
    """Return what a caller has to be allowed to do for an RPC."""
    found: int = rpc.GetOptions().Extensions[ACTION]
    return found
