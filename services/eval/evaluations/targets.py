"""Which served model a checkpoint is; one that is not served is served for the time of a job."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import grpc.aio

from llamastack.models.v1 import models_pb2
from llamastack.post_training.v1 import checkpoint_pb2 as pb
from services.eval.evaluations.generation import Patience, patiently

_LOADING_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Target:
    """A served model; ``temporary`` if it is served for a job alone, ``adapter_of`` its base if it is an adapter."""

    model: str
    temporary: bool = False
    adapter_of: str = ""


class Targets:
    """Puts checkpoints into service and takes them out again.

    Args:
        models: the models service.
        training: the post training service, which knows checkpoints by their ids.
        patience: how long the services may be away.
    """

    def __init__(self, models: Any, training: Any, patience: Patience | None = None) -> None:
        self._models = models
        self._training = training
        self._patience = patience or Patience()

    async def open(self, checkpoint: pb.Checkpoint, job: str) -> Target:
        """Return the model that a checkpoint is served as.

        Raises:
            MeshError: there is no such checkpoint, or it can't be served.
        """
        if checkpoint.HasField("model"):
            return Target(checkpoint.model)
        temporary = f"evaluation-{sha256(job.encode()).hexdigest()[:32]}"
        if checkpoint.HasField("checkpoint_id"):
            return await self._registered(checkpoint.checkpoint_id, temporary)
        request = models_pb2.RegisterModelRequest(
            model_id=temporary, kind=models_pb2.MODEL_KIND_LLM, source=checkpoint.path.uri
        )
        await patiently(lambda: self._models.RegisterModel(request, timeout=_LOADING_S), self._patience)
        return Target(temporary, temporary=True)

    async def close(self, target: Target) -> None:
        """Take a model out of service that was served for a job alone; if that fails, it stays."""
        if not target.temporary:
            return
        with suppress(grpc.aio.AioRpcError):
            if target.adapter_of:
                await self._models.UnloadAdapter(models_pb2.UnloadAdapterRequest(adapter_id=target.model))
            else:
                await self._models.UnregisterModel(models_pb2.UnregisterModelRequest(model_id=target.model))

    async def _registered(self, checkpoint_id: str, temporary: str) -> Target:
        lineage = await patiently(
            lambda: self._training.GetLineage(pb.GetLineageRequest(checkpoint_id=checkpoint_id)), self._patience
        )
        served = [name for name in lineage.registered_models if name != temporary]
        if served:
            return Target(served[-1])
        request = pb.RegisterCheckpointRequest(checkpoint_id=checkpoint_id, model_id=temporary)
        made = await patiently(lambda: self._training.RegisterCheckpoint(request), self._patience)
        return Target(made.model_id, temporary=True, adapter_of=made.base_model)
