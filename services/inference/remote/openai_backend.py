"""Requests of OpenAI's API for a model of OpenAI-compatible servers elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, TypeVar

import httpx

from llamastack.openai.v1 import chat_pb2, completion_pb2, embedding_pb2
from mesh.errors import NotSupported, ResourceNotFound
from services.inference.model_spec import ModelSpec
from services.inference.remote.affinity import openai_chat_key, session_key
from services.inference.remote.key import Key
from services.inference.remote.openai_answers import (
    chat_chunk,
    chat_response,
    completion_response,
    embeddings_response,
    understood,
)
from services.inference.remote.openai_bodies import Json, chat_body, completion_body, embeddings_body
from services.inference.remote.openai_server import OpenAIServers
from services.inference.remote.pool import Pool, Replica

CHAT: Final = "chat/completions"
COMPLETIONS: Final = "completions"
EMBEDDINGS: Final = "embeddings"
MODELS: Final = "models"
REST_SECONDS: Final = 5.0
RETRIES: Final = 2

Answer = TypeVar(
    "Answer",
    chat_pb2.ChatCompletionResponse,
    chat_pb2.ChatCompletionChunk,
    completion_pb2.CompletionResponse,
    embedding_pb2.EmbeddingsResponse,
)


class HttpOpenAI:
    """An :class:`~services.inference.backend.OpenAIBackend` over HTTP; answers get the model's name here.

    Args:
        spec: the model; ``addresses`` are base URLs as OpenAI's clients take them, ending in ``/v1`` as a rule, and
            ``remote_model_id`` is what the servers call it, ``model_id`` if it is not set.
        client: makes the connections.
        key: what the servers are shown.
    """

    def __init__(self, spec: ModelSpec, client: httpx.AsyncClient, key: Key) -> None:
        self.pool = Pool(spec.model_id, spec.addresses, REST_SECONDS)
        for replica in self.pool.replicas:
            replica.serving = True
        self._model_id = spec.model_id
        self._name = spec.remote_model_id or spec.model_id
        # with several servers another one is better than the same one again
        self._servers = OpenAIServers(client, key, spec.model_id, RETRIES if len(spec.addresses) == 1 else 0)

    async def card(self) -> Json:
        """Return what a server says about the model, nothing where it does not say anything.

        Raises:
            BackendUnavailable: none can be reached.
            WrongState: the server refuses the key.
        """

        async def one(replica: Replica) -> Any:
            return await self._servers.get(replica.address, MODELS)

        try:
            listed = await self.pool.answer(None, one)
        except (ResourceNotFound, NotSupported):
            return {}
        found = listed.get("data") if isinstance(listed, dict) else None
        cards = [card for card in found or () if isinstance(card, dict) and card.get("id") == self._name]
        return cards[0] if cards else {}

    async def chat(self, request: chat_pb2.ChatCompletionRequest) -> chat_pb2.ChatCompletionResponse:
        """Give the next message of a conversation."""
        answer = await self._post(CHAT, chat_body(request), openai_chat_key(request))
        return self._named(understood(chat_response, answer))

    async def stream_chat(
        self, request: chat_pb2.ChatCompletionRequest
    ) -> AsyncGenerator[chat_pb2.ChatCompletionChunk]:
        """Give the next message of a conversation as it comes."""
        async with aclosing(self._events(CHAT, chat_body(request), openai_chat_key(request))) as events:
            async for event in events:
                yield self._named(understood(chat_chunk, event))

    async def complete(self, request: completion_pb2.CompletionRequest) -> completion_pb2.CompletionResponse:
        """Continue texts."""
        answer = await self._post(COMPLETIONS, completion_body(request), session_key(request.user))
        return self._named(understood(completion_response, answer))

    async def stream_completion(
        self, request: completion_pb2.CompletionRequest
    ) -> AsyncGenerator[completion_pb2.CompletionResponse]:
        """Continue texts as they come."""
        async with aclosing(self._events(COMPLETIONS, completion_body(request), session_key(request.user))) as events:
            async for event in events:
                yield self._named(understood(completion_response, event))

    async def embed(self, request: embedding_pb2.EmbeddingsRequest) -> embedding_pb2.EmbeddingsResponse:
        """Turn texts into vectors."""
        answer = await self._post(EMBEDDINGS, embeddings_body(request), None)
        return self._named(understood(embeddings_response, answer))

    async def _post(self, path: str, body: Json, key: bytes | None) -> Any:
        body.pop("stream_options", None)  # servers refuse it where nothing is streamed
        body["model"] = self._name

        async def one(replica: Replica) -> Any:
            return await self._servers.post(replica.address, path, body)

        return await self.pool.answer(key, one)

    def _events(self, path: str, body: Json, key: bytes | None) -> AsyncGenerator[Any]:
        body |= {"model": self._name, "stream": True}
        return self.pool.stream(key, lambda replica: self._servers.events(replica.address, path, body))

    def _named(self, answer: Answer) -> Answer:
        answer.model = self._model_id
        return answer
