"""A model that inference workers of the mesh serve: every request goes on, as it is, to one of them over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import grpc.aio

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceStub
from mesh.addresses import Resolve, resolve
from mesh.client import Client
from mesh.errors import NotSupported
from services.inference.backend import ReplicaStatus
from services.inference.chat import START
from services.inference.engine import EngineInfo
from services.inference.model_messages import KINDS
from services.inference.model_spec import ModelSpec
from services.inference.remote.affinity import chat_key, session_key
from services.inference.remote.forwarding import Forwarder, restored
from services.inference.remote.mesh_openai import MeshOpenAI
from services.inference.remote.naming import PACE, Pace
from services.inference.remote.pool import Pool, Replica
from services.inference.remote.workers import Workers

if TYPE_CHECKING:
    from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceAsyncStub
    from llamastack.openai.v1.openai_service_pb2_grpc import OpenAIServiceAsyncStub

CONNECT_SECONDS = 5.0


class MeshModel:
    """A :class:`~services.inference.backend.Remote` over gRPC.

    Args:
        spec: the model; ``remote_model_id`` is what the workers call it, ``model_id`` if it is not set.
        client: makes the channels. It should have no timeout of its own, because only a caller knows how long a
            generation may take, and no retries, because those go to another worker here.
        connect_s: seconds that :meth:`start` waits for the first worker.
        resolve: finds the workers behind the name of a host.
        pace: how often it is asked.
    """

    def __init__(
        self,
        spec: ModelSpec,
        client: Client,
        connect_s: float = CONNECT_SECONDS,
        resolve: Resolve = resolve,
        pace: Pace = PACE,
    ) -> None:
        self._spec = spec
        self._name = spec.remote_model_id or spec.model_id
        self._connect_s = connect_s
        self._pool = Pool(spec.model_id)
        self._workers = Workers(self._pool, client, resolve, pace)
        self._forwarder = Forwarder(self._pool, self._stub, self._name)
        self.openai = MeshOpenAI(Forwarder(self._pool, self._openai_stub, self._name), spec.model_id)

    async def start(self) -> EngineInfo:
        """Watch over the workers and return when one of them serves the model.

        Raises:
            BackendUnavailable: none can be reached in time.
            ResourceNotFound: the workers don't know the model.
        """
        try:
            await self._workers.start(self._spec.addresses, self._connect_s)
            return await self._info()
        except BaseException:
            await self.stop()
            raise

    async def complete(self, request: pb.CompletionRequest) -> pb.CompletionResponse:
        """Continue a text."""
        return await self._forwarder.ask(lambda stub: stub.Completion, request, session_key(request.session_id))

    def stream_completion(self, request: pb.CompletionRequest) -> AsyncGenerator[pb.CompletionResponseStreamChunk]:
        """Continue a text as it comes."""
        return self._forwarder.stream(lambda stub: stub.StreamCompletion, request, session_key(request.session_id))

    async def chat(self, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
        """Give the next message of a conversation."""
        return await self._forwarder.ask(lambda stub: stub.ChatCompletion, request, chat_key(request))

    async def stream_chat(self, request: pb.ChatCompletionRequest) -> AsyncGenerator[pb.ChatCompletionResponseEvent]:
        """Give the next message of a conversation as it comes."""
        stream = self._forwarder.stream(
            lambda stub: stub.StreamChatCompletion,
            request,
            chat_key(request),
            heralds=lambda chunk: chunk.event.event_type == START,
        )
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk.event

    async def embed(self, request: pb.EmbeddingsRequest) -> pb.EmbeddingsResponse:
        """Turn texts into vectors."""
        return await self._forwarder.ask(lambda stub: stub.Embeddings, request)

    async def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """Run a classification or reward model over conversations."""
        return await self._forwarder.ask(lambda stub: stub.Score, request)

    async def check(self) -> None:
        """Return when one worker serves at least."""
        self._pool.check()

    def running(self) -> int:
        """Return the number of requests that are forwarded now."""
        return self._pool.active

    def cache_use(self) -> float:
        """Return 0: the workers tell of theirs."""
        return 0.0

    def replicas(self) -> Sequence[ReplicaStatus]:
        """Return the workers."""
        return [ReplicaStatus(one.address, one.serving, one.active, leaving=one.leaving) for one in self._pool.replicas]

    async def stop(self) -> None:
        """Leave the workers; requests that are there still end with BackendUnavailable."""
        await self._workers.stop()

    def _stub(self, replica: Replica) -> InferenceServiceAsyncStub:
        made: InferenceServiceAsyncStub = InferenceServiceStub(self._workers.channel(replica))
        return made

    def _openai_stub(self, replica: Replica) -> OpenAIServiceAsyncStub:
        made: OpenAIServiceAsyncStub = OpenAIServiceStub(self._workers.channel(replica))
        return made

    async def _info(self) -> EngineInfo:
        """Return what the workers say about the model, or what the registration says if they have no say."""

        async def ask(replica: Replica) -> models_pb2.Model:
            stub: ModelsServiceAsyncStub = ModelsServiceStub(self._workers.channel(replica))
            try:
                return await stub.GetModel(models_pb2.GetModelRequest(model_id=self._name))
            except grpc.aio.AioRpcError as error:
                raise restored(error) from error

        spec = self._spec
        try:
            model = await self._pool.answer(None, ask)
        except NotSupported:
            return EngineInfo("mesh", spec.kind, spec.context_length or 0, spec.quantization or "")
        return EngineInfo(
            name="mesh",
            kind=KINDS.get(model.kind, spec.kind),
            context_length=model.context_length,
            quantization=model.quantization_config.WhichOneof("config") or "",
            dimension=model.embedding_dimension if model.HasField("embedding_dimension") else None,
            labels=tuple(model.labels),
            multimodal=model.multimodal,
        )
