"""memory_search: chunks of a memory bank, through the memory service as whoever calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import grpc.aio

from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from llamastack.memory.v1.query_pb2 import QueryMemoryBankRequest, QueryParams, QueryText
from mesh.errors import from_rpc
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Surroundings, parameter

if TYPE_CHECKING:
    from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceAsyncStub

_CHUNKS: Final = 10
_TOKENS: Final = 4096


class MemorySearch:
    """Searches memory banks."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        """``channel`` leads to the memory service."""
        self._stub: MemoryBanksServiceAsyncStub = MemoryBanksServiceStub(channel)
        self.description = Description(
            name="memory_search",
            kind=Kind.BUILTIN,
            text="Search a memory bank for what its documents say.",
            parameters={
                "bank_id": parameter("str", "The memory bank."),
                "query": parameter("str", "What to look for."),
                "max_chunks": parameter("int", "Chunks at most; 1 to 1000, default 10.", required=False),
            },
            timeout_s=timeout_s,
            idempotent=True,
        )

    @property
    def unavailable_reason(self) -> str | None:
        """None: whether the memory service answers is seen when it is called."""
        return None

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Return the best chunks as JSON.

        Raises:
            MeshError: what the memory service answered with, NOT_FOUND for an unknown bank.
        """
        query = str(arguments["query"])
        chunks = arguments.get("max_chunks")
        request = QueryMemoryBankRequest(
            bank_id=str(arguments["bank_id"]),
            query=QueryText(text=query),
            params=QueryParams(max_chunks=_CHUNKS if chunks is None else int(chunks), max_tokens=_TOKENS),
        )
        try:
            response = await self._stub.QueryMemoryBank(request, timeout=surroundings.timeout_s)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        found = [
            {"document_id": chunk.document_id, "content": chunk.content, "score": score}
            for chunk, score in zip(response.chunks, response.scores, strict=True)
        ]
        return Answer((json.dumps({"query": query, "chunks": found}, ensure_ascii=False),))
