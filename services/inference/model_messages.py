"""The catalog's models as ``llamastack.models.v1`` spells them, and its requests as the catalog takes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.sampling_pb2 import (
    Bf16QuantizationConfig,
    Fp8QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.models.v1 import models_pb2 as pb
from mesh import json_text
from services.inference.backend import ReplicaStatus
from services.inference.engine import ModelKind
from services.inference.entry import AdapterEntry, Entry, State
from services.inference.model_spec import AdapterSpec, ModelSpec

KINDS: Final[Mapping[int, ModelKind]] = MappingProxyType(
    {
        pb.MODEL_KIND_LLM: ModelKind.LLM,
        pb.MODEL_KIND_EMBEDDING: ModelKind.EMBEDDING,
        pb.MODEL_KIND_REWARD: ModelKind.REWARD,
        pb.MODEL_KIND_GUARD: ModelKind.GUARD,
    }
)
"""The kinds of models by their number in the contract; unspecified is not among them."""

_KIND_NUMBERS: Final = {kind: pb.ModelKind.ValueType(number) for number, kind in KINDS.items()}
_STATES: Final = {
    State.REGISTERED: pb.MODEL_STATE_REGISTERED,
    State.DOWNLOADING: pb.MODEL_STATE_DOWNLOADING,
    State.LOADING: pb.MODEL_STATE_LOADING,
    State.READY: pb.MODEL_STATE_READY,
    State.DRAINING: pb.MODEL_STATE_DRAINING,
    State.FAILED: pb.MODEL_STATE_FAILED,
}
_PHASES: Final = {
    State.DOWNLOADING: pb.REGISTER_PHASE_DOWNLOADING,
    State.LOADING: pb.REGISTER_PHASE_LOADING,
    State.READY: pb.REGISTER_PHASE_READY,
}
_QUANTIZATION: Final = {
    "bf16": QuantizationConfig(bf16=Bf16QuantizationConfig()),
    "fp8": QuantizationConfig(fp8=Fp8QuantizationConfig()),
    "int8": QuantizationConfig(int8=Int8QuantizationConfig()),
}


def model_spec(request: pb.RegisterModelRequest) -> ModelSpec:
    """Return what a registration asks for."""
    return ModelSpec(
        model_id=request.model_id,
        kind=KINDS.get(request.kind, ModelKind.LLM),
        source=request.source if request.HasField("source") else None,
        addresses=tuple(request.addresses),
        context_length=request.context_length if request.HasField("context_length") else None,
        quantization=request.quantization_config.WhichOneof("config"),
        aliases=tuple(request.aliases),
        metadata=_written(request.metadata),
        remote_model_id=request.remote_model_id if request.HasField("remote_model_id") else None,
    )


def adapter_spec(request: pb.LoadAdapterRequest) -> AdapterSpec:
    """Return what the loading of an adapter asks for."""
    return AdapterSpec(request.adapter_id, request.model_id, request.source, _written(request.metadata))


def model_message(entry: Entry) -> pb.Model:
    """Return a model and the state it is in."""
    spec, info = entry.spec, entry.info
    form = spec.quantization if info is None else info.quantization
    return pb.Model(
        model_id=spec.model_id,
        kind=_KIND_NUMBERS[spec.kind],
        state=_STATES[entry.state],
        state_message=entry.message or None,
        source=spec.source,
        replicas=_replicas(entry),
        engine="" if info is None else info.name,
        context_length=(spec.context_length or 0) if info is None else info.context_length,
        quantization_config=_QUANTIZATION.get(form or ""),
        embedding_dimension=None if info is None else info.dimension,
        labels=() if info is None else info.labels,
        aliases=spec.aliases,
        adapters=[adapter_message(entry.adapters[name]) for name in sorted(entry.adapters)],
        multimodal=info is not None and info.multimodal,
        metadata=_read(spec.metadata),
        created_at=_timestamp(entry.created_at),
    )


def adapter_message(adapter: AdapterEntry) -> pb.Adapter:
    """Return an adapter that is loaded."""
    return pb.Adapter(
        adapter_id=adapter.spec.adapter_id,
        model_id=adapter.spec.model_id,
        source=adapter.spec.source,
        rank=adapter.rank,
        metadata=_read(adapter.spec.metadata),
        loaded_at=_timestamp(adapter.loaded_at),
    )


def progress_message(entry: Entry) -> pb.RegisterModelProgress:
    """Return how far a registration has come."""
    message = pb.RegisterModelProgress(phase=_PHASES.get(entry.state, pb.REGISTER_PHASE_RESOLVING))
    if entry.progress is not None:
        message.bytes_done, message.bytes_total = entry.progress.done, entry.progress.total
        if entry.state is State.DOWNLOADING:
            message.file = entry.progress.file
    if entry.ready:
        message.model.CopyFrom(model_message(entry))
    return message


def _replicas(entry: Entry) -> list[pb.Replica]:
    """Return where the model is served, if that is elsewhere."""
    if entry.remote is None:
        return [pb.Replica(address=address, state=_STATES[entry.state]) for address in entry.spec.addresses]
    return [
        pb.Replica(
            address=replica.address,
            state=_replica_state(entry, replica),
            active_requests=replica.active,
        )
        for replica in entry.remote.replicas()
    ]


def _replica_state(entry: Entry, replica: ReplicaStatus) -> pb.ModelState.ValueType:
    if replica.leaving:
        return pb.MODEL_STATE_DRAINING
    return _STATES[entry.state] if replica.serving else pb.MODEL_STATE_FAILED


def _written(metadata: Mapping[str, JsonValue]) -> dict[str, str]:
    return {name: json_text.write(metadata[name]) for name in sorted(metadata)}


def _read(metadata: Mapping[str, str]) -> dict[str, JsonValue]:
    return {name: json_text.value_of(json_text.read(text)[0]) for name, text in metadata.items()}


def _timestamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made
