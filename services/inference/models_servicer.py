"""``llamastack.models.v1.ModelsService`` over the catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from llamastack.models.v1 import models_pb2 as pb
from llamastack.models.v1 import models_service_pb2_grpc as grpc_stubs
from mesh.errors import WrongState
from mesh.paging import page_size, read_token, write_token
from services.inference.catalog import Catalog
from services.inference.entry import Entry
from services.inference.model_messages import (
    KINDS,
    adapter_message,
    adapter_spec,
    model_message,
    model_spec,
    progress_message,
)

Context = Any


class ModelsServicer(grpc_stubs.ModelsServiceServicer):
    """Lists, registers and removes models, loads and unloads their adapters."""

    def __init__(self, catalog: Catalog, *, alone: bool = True) -> None:
        """Keep the catalog; ``alone`` says that no other replica answers in place of this one.

        Replicas don't share what is registered, so that half of all callers would not find it: it is refused there.
        """
        self._catalog = catalog
        self._alone = alone

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """List the models, by id."""
        kind = KINDS.get(request.kind)
        which = f"ListModels {request.kind}"
        after = read_token(which, request.page_token)
        entries = [
            entry
            for entry in self._catalog.entries()
            if kind in {None, entry.spec.kind} and (after is None or (entry.spec.model_id,) > after)
        ]
        page = entries[: page_size(request.page_size)]
        following = write_token(which, (page[-1].spec.model_id,)) if len(page) < len(entries) else ""
        return pb.ListModelsResponse(models=map(model_message, page), next_page_token=following)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.Model:
        """Give one model by its id, an alias or one of its adapters."""
        return model_message(self._catalog.get(request.model_id))

    async def RegisterModel(self, request: pb.RegisterModelRequest, context: Context) -> pb.Model:
        """Make a model known and answer when it is ready."""
        entry = self._registered(request)
        async for _ in self._catalog.watch(entry):
            pass
        return model_message(entry)

    async def StreamRegisterModel(
        self, request: pb.RegisterModelRequest, context: Context
    ) -> AsyncIterator[pb.RegisterModelProgress]:
        """Make a model known and tell how that goes on."""
        entry = self._registered(request)
        async for known in self._catalog.watch(entry):
            yield progress_message(known)

    async def UnregisterModel(self, request: pb.UnregisterModelRequest, context: Context) -> pb.UnregisterModelResponse:
        """Take a model out of service."""
        self._refuse_one_of_several()
        await self._catalog.unregister(request.model_id)
        return pb.UnregisterModelResponse()

    async def LoadAdapter(self, request: pb.LoadAdapterRequest, context: Context) -> pb.Adapter:
        """Load a LoRA adapter."""
        self._refuse_one_of_several()
        return adapter_message(await self._catalog.load_adapter(adapter_spec(request)))

    async def UnloadAdapter(self, request: pb.UnloadAdapterRequest, context: Context) -> pb.UnloadAdapterResponse:
        """Unload a LoRA adapter."""
        self._refuse_one_of_several()
        await self._catalog.unload_adapter(request.adapter_id)
        return pb.UnloadAdapterResponse()

    def _registered(self, request: pb.RegisterModelRequest) -> Entry:
        spec = model_spec(request)
        if all(entry.spec != spec for entry in self._catalog.entries()):
            self._refuse_one_of_several()
        return self._catalog.register(spec)

    def _refuse_one_of_several(self) -> None:
        if not self._alone:
            raise WrongState(
                "this is one of several replicas, which don't share what is registered while they run; "
                "models are named in their configuration, or registered with a single replica"
            )
