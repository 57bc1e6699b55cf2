"""Calls of any RPC by name, in the RFC's JSON: what ``altiplano call`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc.aio

from cli.access import client
from cli.failure import USAGE, Failure, failure_of
from gateway.app import load_contract
from gateway.codec.codec import Codec
from gateway.codec.errors import CodecError
from gateway.contract import Rpc
from mesh.errors import from_rpc


class Caller:
    """Calls RPCs that the contracts describe."""

    def __init__(self) -> None:
        """Read the contracts."""
        self._contract = load_contract()
        self._codec = Codec(self._contract.pool)

    def rpc(self, name: str) -> Rpc:
        """Return the RPC for ``Service/Method``; the package may be left out.

        Raises:
            Failure: there is no such RPC.
        """
        service, slash, method = name.strip("/").partition("/")
        if not slash:
            raise Failure(f"{name!r} is not SERVICE/METHOD, as in ModelsService/ListModels", USAGE)
        for rpc in self._contract.rpcs.values():
            if rpc.method == method and (rpc.service == service or rpc.service.endswith(f".{service}")):
                return rpc
        raise Failure(f"there is no RPC {name}; `altiplano call --list` shows them all", USAGE)

    def names(self) -> Sequence[str]:
        """Return every RPC as ``package.Service/Method``, sorted."""
        return sorted(path.lstrip("/") for path in self._contract.rpcs)

    async def call(self, rpc: Rpc, json: bytes, address: str, seconds: float) -> AsyncIterator[bytes]:
        """Yield the JSON of each response.

        Raises:
            Failure: the JSON does not fit the contract, or the service refused, failed or can't be reached.
        """
        if rpc.client_streams:
            raise Failure(f"{rpc.path.lstrip('/')} takes a stream of requests, which this command does not send", USAGE)
        try:
            request = self._codec.decoder(rpc.input)(json)
        except CodecError as error:
            raise Failure(str(error), USAGE) from error
        encode = self._codec.encoder(rpc.output)
        async with client() as calls:
            channel: Any = calls.channel(address)
            try:
                if rpc.streams:
                    async for wire in channel.unary_stream(rpc.path)(request, timeout=seconds):
                        yield encode(wire)
                else:
                    yield encode(await channel.unary_unary(rpc.path)(request, timeout=seconds))
            except grpc.aio.AioRpcError as error:
                raise failure_of(from_rpc(error), address) from error
