"""What was asked for: models and adapters as they are registered, before anything is fetched or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.inference.engine import ModelKind


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model with a source to load, or addresses where it is served already.

    ``quantization`` is bf16, fp8 or int8, None for whatever the checkpoint is in. ``metadata`` is JSON text by name.
    """

    model_id: str
    kind: ModelKind = ModelKind.LLM
    source: str | None = None
    addresses: tuple[str, ...] = ()
    context_length: int | None = None
    quantization: str | None = None
    aliases: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    remote_model_id: str | None = None


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """A LoRA adapter on top of the model ``model_id``; ``metadata`` is JSON text by name."""

    adapter_id: str
    model_id: str
    source: str
    metadata: Mapping[str, str] = field(default_factory=dict)
