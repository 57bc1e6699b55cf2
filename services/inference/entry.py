"""One model of the catalog: what was asked for, how far it is, and where its requests go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from llamastack.common.v1.sampling_pb2 import QuantizationConfig
from mesh.errors import MeshError, WrongState
from services.inference.backend import Remote
from services.inference.engine import Engine, EngineInfo, Model
from services.inference.model_spec import AdapterSpec, ModelSpec
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.sources import Progress


class State(Enum):
    """How far a model is from answering."""

    REGISTERED = "registered"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AdapterEntry:
    """A LoRA adapter that is loaded."""

    spec: AdapterSpec
    rank: int
    loaded_at: datetime


@dataclass(slots=True)
class Entry:
    """A model and the state it is in.

    Once it is ready ``info`` is set, and ``remote`` if it is served elsewhere, else ``engine`` and ``format``.
    """

    spec: ModelSpec
    created_at: datetime
    state: State = State.REGISTERED
    message: str = ""
    failure: MeshError | None = None
    engine: Engine | None = None
    remote: Remote | None = None
    info: EngineInfo | None = None
    format: PromptFormat | None = None
    adapters: dict[str, AdapterEntry] = field(default_factory=dict)
    progress: Progress | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None
    adapters_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def ready(self) -> bool:
        """Whether it answers requests."""
        return self.state is State.READY

    @property
    def model(self) -> Model | None:
        """What has been started for it, here or elsewhere."""
        return self.engine or self.remote


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes; ``origin`` tells weights apart: the source or the addresses, and the adapter's source."""

    model_id: str
    engine: Engine
    info: EngineInfo
    format: PromptFormat | None
    adapter: str | None
    origin: str

    @property
    def prompt_format(self) -> PromptFormat:
        """The model's prompt format.

        Raises:
            WrongState: the model holds no conversations.
        """
        if self.format is None:
            raise WrongState(f"model {self.model_id} has no prompt format, so that it can't hold a conversation")
        return self.format

    def check_quantization(self, wanted: QuantizationConfig) -> None:
        """Refuse a request that asks for weights in another form than they are in.

        Raises:
            WrongState: the forms differ.
        """
        form = wanted.WhichOneof("config")
        if form is not None and form != self.info.quantization:
            raise WrongState(f"model {self.model_id} is loaded as {self.info.quantization}, not as {form}")
