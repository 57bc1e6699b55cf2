"""A model of OpenAI-compatible servers elsewhere: requests of the mesh's own contract in the words of OpenAI's API."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

import httpx

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.openai.v1 import embedding_pb2, usage_pb2
from mesh.errors import BackendUnavailable, InvalidField, NotSupported, WrongState
from services.inference.backend import ReplicaStatus
from services.inference.chat import GENERATING
from services.inference.engine import EngineInfo, ModelKind
from services.inference.model_spec import ModelSpec
from services.inference.remote.key import Key
from services.inference.remote.openai_backend import HttpOpenAI
from services.inference.remote.openai_events import (
    EventReader,
    chat_answer,
    completion_answer,
    completion_chunks,
)
from services.inference.remote.openai_requests import chat_request, completion_request

TEXTS_PER_REQUEST: Final = 256


class OpenAIModel:
    """A :class:`~services.inference.backend.Remote` over HTTP.

    Args:
        spec: the model, as for :class:`HttpOpenAI`.
        key: what the servers are shown.
        make_client: makes the HTTP client, on the event loop.
    """

    def __init__(self, spec: ModelSpec, key: Key, make_client: Callable[[], httpx.AsyncClient]) -> None:
        for address in spec.addresses:
            if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
                raise InvalidField("addresses", "http(s) URLs, all of them or none")
        self._spec = spec
        self._client = make_client()
        self.openai = HttpOpenAI(spec, self._client, key)

    async def start(self) -> EngineInfo:
        """Ask the servers about the model.

        Raises:
            BackendUnavailable: none can be reached.
            WrongState: a server refuses the key.
        """
        card = await self.openai.card()
        stated = card.get("max_model_len")
        length = self._spec.context_length or (stated if isinstance(stated, int) else 0)
        # whether it reads images only its server knows, and says so when it gets one
        return EngineInfo("openai", self._spec.kind, length, "", multimodal=True)

    async def complete(self, request: pb.CompletionRequest) -> pb.CompletionResponse:
        """Continue a text."""
        self._check_kind(GENERATING)
        return completion_answer(await self.openai.complete(completion_request(request)))

    async def stream_completion(
        self, request: pb.CompletionRequest
    ) -> AsyncGenerator[pb.CompletionResponseStreamChunk]:
        """Continue a text as it comes."""
        self._check_kind(GENERATING)
        wanted = completion_request(request)
        wanted.stream_options.include_usage = True
        async with aclosing(completion_chunks(self.openai.stream_completion(wanted))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def chat(self, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
        """Give the next message of a conversation."""
        self._check_kind(GENERATING)
        return chat_answer(await self.openai.chat(chat_request(request)))

    async def stream_chat(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionResponseEvent]:
        """Give the next message of a conversation as it comes."""
        self._check_kind(GENERATING)
        wanted = chat_request(request)
        wanted.stream_options.include_usage = True
        reader = EventReader()
        async with aclosing(self.openai.stream_chat(wanted)) as chunks:
            async for chunk in chunks:
                for event in reader.push(chunk):
                    yield event
        for event in reader.finish():
            yield event

    async def embed(self, request: pb.EmbeddingsRequest) -> pb.EmbeddingsResponse:
        """Turn texts into vectors of unit length, some hundreds at a time."""
        self._check_kind(frozenset({ModelKind.EMBEDDING}))
        response = pb.EmbeddingsResponse(usage=pb.Usage())
        for begin in range(0, len(request.contents), TEXTS_PER_REQUEST):
            texts = usage_pb2.StringList(values=request.contents[begin : begin + TEXTS_PER_REQUEST])
            wanted = embedding_pb2.EmbeddingsRequest(
                input=usage_pb2.TextInput(texts=texts), encoding_format=embedding_pb2.ENCODING_FORMAT_FLOAT
            )
            answer = await self.openai.embed(wanted)
            if len(answer.data) != len(texts.values):
                raise BackendUnavailable(f"the server of model {self._spec.model_id} left texts out")
            for item in sorted(answer.data, key=lambda item: item.index):
                response.embeddings.append(pb.Embedding(values=_unit(item.embedding.values.values)))
            response.usage.prompt_tokens += answer.usage.prompt_tokens
        return response

    async def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """Refuse: OpenAI's API has no such thing."""
        raise NotSupported("scoring is not part of OpenAI's API")

    async def check(self) -> None:
        """Return when a server is not resting."""
        self.openai.pool.check()

    def running(self) -> int:
        """Return the number of requests that are forwarded now."""
        return self.openai.pool.active

    def cache_use(self) -> float:
        """Return 0: the other side keeps it."""
        return 0.0

    def replicas(self) -> Sequence[ReplicaStatus]:
        """Return the servers."""
        return [ReplicaStatus(one.address, one.serving, one.active) for one in self.openai.pool.replicas]

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _check_kind(self, kinds: frozenset[ModelKind]) -> None:
        spec = self._spec
        if spec.kind not in kinds:
            wanted = " or ".join(sorted(kind.value for kind in kinds))
            raise WrongState(f"model {spec.model_id} is of kind {spec.kind.value}; this call needs {wanted}")


def _unit(values: Sequence[float]) -> list[float]:
    """Return a vector at length 1."""
    length = math.hypot(*values)
    return [value / length for value in values] if length else list(values)
