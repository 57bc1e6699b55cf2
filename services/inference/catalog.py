"""The models that this service knows: what they are called, where they run, what adapters they carry.

The catalog is the only place that turns a name in a request into an engine. What was registered is kept in a JSON file,
so that a restarted service knows it again; the models that the configuration names are not in it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from llamastack.common.v1.sampling_pb2 import QuantizationConfig
from mesh.errors import (
    BackendUnavailable,
    InvalidField,
    MeshError,
    ResourceExists,
    ResourceNotFound,
    WrongState,
)
from services.inference.backend import Remote
from services.inference.engine import Engine, EngineInfo, Model, ModelKind
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.sources import Progress, Sources

log = logging.getLogger(__name__)


class State(Enum):
    """How far a model is from answering."""

    REGISTERED = "registered"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What was asked for: a source to load, or addresses where the model is served already.

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
class AdapterEntry:
    """A LoRA adapter that is loaded."""

    adapter_id: str
    source: str
    rank: int
    metadata: Mapping[str, str]
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
    engine: Engine | None = None
    remote: Remote | None = None
    info: EngineInfo | None = None
    format: PromptFormat | None = None
    adapters: dict[str, AdapterEntry] = field(default_factory=dict)
    progress: Progress | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None

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
    """Where a request goes."""

    model_id: str
    engine: Engine
    info: EngineInfo
    format: PromptFormat | None
    adapter: str | None

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


@dataclass(frozen=True, slots=True)
class Workshop:
    """How the catalog makes what it needs: an engine and its prompt format, or a model that is served elsewhere."""

    engine: Callable[[ModelSpec, str | None], Engine]
    remote: Callable[[ModelSpec], Remote]
    format: Callable[[ModelSpec, str | None, EngineInfo], PromptFormat | None]


class Catalog:
    """The models by id, alias and adapter."""

    def __init__(self, workshop: Workshop, sources: Sources, file: Path, now: Callable[[], datetime]) -> None:
        """``file`` keeps what is registered at run time; ``now`` is the clock."""
        self._workshop = workshop
        self._sources = sources
        self._file = file
        self._now = now
        self._entries: dict[str, Entry] = {}
        self._names: dict[str, str] = {}
        self._builtin: set[str] = set()

    def entries(self) -> list[Entry]:
        """Return all models, by id."""
        return [self._entries[name] for name in sorted(self._entries)]

    def get(self, name: str) -> Entry:
        """Return a model by its id, an alias or one of its adapters.

        Raises:
            ResourceNotFound: nothing has that name.
        """
        if name not in self._names:
            raise ResourceNotFound("model", name)
        return self._entries[self._names[name]]

    def resolve(self, name: str) -> Target:
        """Return where a request for this name goes.

        Raises:
            ResourceNotFound: nothing has that name.
            BackendUnavailable: the model is not ready yet.
            WrongState: the model has failed, is being taken out of service or is served elsewhere.
        """
        entry = self._ready(name)
        if entry.engine is None or entry.info is None:
            raise WrongState(f"model {name} is served elsewhere")
        adapter = name if name in entry.adapters else None
        return Target(entry.spec.model_id, entry.engine, entry.info, entry.format, adapter)

    def remote(self, name: str) -> Remote | None:
        """Return the model of this name if it is served elsewhere, None if it runs here.

        Raises:
            ResourceNotFound: nothing has that name.
            BackendUnavailable: the model is not ready yet.
            WrongState: the model has failed or is being taken out of service.
        """
        return self._ready(name).remote

    def _ready(self, name: str) -> Entry:
        entry = self.get(name)
        if entry.state in {State.REGISTERED, State.DOWNLOADING, State.LOADING}:
            raise BackendUnavailable(f"model {name} is {entry.state.value}", retry_after_s=2.0)
        if not entry.ready:
            raise WrongState(f"model {name} is {entry.state.value}: {entry.message}")
        return entry

    def register(self, spec: ModelSpec, *, builtin: bool = False) -> Entry:
        """Make a model known and begin to fetch and load it; the same spec again gives the same entry.

        Raises:
            ResourceExists: the id or an alias stands for something else.
        """
        known = self._entries.get(spec.model_id)
        if known is not None and known.spec == spec and known.state is not State.FAILED:
            return known
        if known is not None and known.state is not State.FAILED:
            raise ResourceExists("model", spec.model_id)
        for name in (spec.model_id, *spec.aliases):
            if self._names.get(name, spec.model_id) != spec.model_id:
                raise ResourceExists("model", name)
        if spec.source is not None:
            self._sources.folder(spec.source)
        entry = Entry(spec, self._now())
        self._entries[spec.model_id] = entry
        self._names |= dict.fromkeys((spec.model_id, *spec.aliases), spec.model_id)
        if builtin:
            self._builtin.add(spec.model_id)
        entry.work = asyncio.create_task(self._bring_up(entry), name=f"load-{spec.model_id}")
        self._save()
        return entry

    async def watch(self, entry: Entry) -> AsyncIterator[Entry]:
        """Yield the entry on each change until it is ready.

        Raises:
            MeshError: what the registration failed with.
        """
        while not entry.ready:
            entry.changed.clear()
            yield entry
            if entry.state is State.FAILED and entry.work is not None:
                await entry.work
            if not entry.ready:
                await entry.changed.wait()
        yield entry

    async def unregister(self, model_id: str) -> None:
        """Take a model out of service and stop its engine.

        Raises:
            ResourceNotFound: no model has that id.
        """
        entry = self._entries.get(model_id)
        if entry is None:
            raise ResourceNotFound("model", model_id)
        _set(entry, State.DRAINING, "it is being taken out of service")
        if entry.work is not None:
            entry.work.cancel()
        self._entries.pop(model_id)
        self._names = {name: owner for name, owner in self._names.items() if owner != model_id}
        self._builtin.discard(model_id)
        self._save()
        if entry.model is not None:
            await _drained(entry.model)
            await entry.model.stop()

    async def load_adapter(self, name: str, adapter_id: str, source: str, metadata: Mapping[str, str]) -> AdapterEntry:
        """Load a LoRA adapter on a model that is ready.

        Raises:
            ResourceExists: the id stands for something else.
            WrongState: the model takes no adapters or the adapter does not fit.
        """
        target = self.resolve(name)
        entry = self._entries[target.model_id]
        known = entry.adapters.get(adapter_id)
        if known is not None and known.source == source:
            return known
        if adapter_id in self._names:
            raise ResourceExists("adapter", adapter_id)
        self._names[adapter_id] = target.model_id
        try:
            folder = self._sources.folder(source)
            if folder is None:
                async for _ in self._sources.fetch(source):
                    pass
                folder = self._sources.folder(source)
            rank = await target.engine.load_adapter(adapter_id, str(folder))
        except BaseException:
            self._names.pop(adapter_id, None)
            raise
        entry.adapters[adapter_id] = AdapterEntry(adapter_id, source, rank, dict(metadata), self._now())
        self._save()
        return entry.adapters[adapter_id]

    async def unload_adapter(self, adapter_id: str) -> None:
        """Unload an adapter.

        Raises:
            ResourceNotFound: no adapter has that id.
        """
        entry = self._entries.get(self._names.get(adapter_id, ""))
        if entry is None or adapter_id not in entry.adapters or entry.engine is None:
            raise ResourceNotFound("adapter", adapter_id)
        entry.adapters.pop(adapter_id)
        self._names.pop(adapter_id)
        self._save()
        await entry.engine.unload_adapter(adapter_id)

    async def stop(self) -> None:
        """Stop all engines."""
        for entry in self._entries.values():
            if entry.work is not None:
                entry.work.cancel()
        await asyncio.gather(*(entry.model.stop() for entry in self._entries.values() if entry.model is not None))

    def restore(self) -> None:
        """Register again what was registered before the service was restarted."""
        if not self._file.is_file():
            return
        for record in json.loads(self._file.read_text()):
            values: dict[str, Any] = record["spec"]
            values |= {"kind": ModelKind(values["kind"])}
            values |= {name: tuple(values[name]) for name in ("addresses", "aliases")}
            try:
                self.register(ModelSpec(**values))
            except MeshError as error:
                log.warning("model %s is not registered again: %s", values["model_id"], error)

    async def _bring_up(self, entry: Entry) -> None:
        spec = entry.spec
        try:
            folder = None if spec.source is None else await self._fetched(entry, spec.source)
            _set(entry, State.LOADING)
            if spec.addresses:
                remote = self._workshop.remote(spec)
                entry.info = await remote.start()
                entry.remote = remote
            else:
                engine = self._workshop.engine(spec, folder)
                info = await engine.start()
                entry.engine, entry.info = engine, info
                entry.format = await asyncio.to_thread(self._workshop.format, spec, folder, info)
        except MeshError as error:
            log.error("model %s failed: %s", spec.model_id, error)  # told to the caller as well
            _set(entry, State.FAILED, error.message)
            raise
        _set(entry, State.READY)

    async def _fetched(self, entry: Entry, source: str) -> str:
        if self._sources.folder(source) is None:
            _set(entry, State.DOWNLOADING)
            async for progress in self._sources.fetch(source):
                entry.progress = progress
                entry.changed.set()
        folder = self._sources.folder(source)
        if folder is None:
            raise InvalidField("source", "a source with model files")
        return str(folder)

    def _save(self) -> None:
        """Write what is registered, whole or not at all."""
        kept = [entry for name, entry in self._entries.items() if name not in self._builtin]
        records = []
        for entry in kept:
            values = asdict(entry.spec) | {"kind": entry.spec.kind.value}
            records.append({"spec": values})
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".new")
        partial.write_text(json.dumps(records, indent=1))
        os.replace(partial, self._file)


def _set(entry: Entry, state: State, message: str = "") -> None:
    entry.state, entry.message = state, message
    entry.changed.set()


async def _drained(model: Model, seconds: float = 30.0) -> None:
    """Return when the model has no request left, or after some time."""
    for _ in range(int(seconds / 0.1)):
        if model.running() == 0:
            return
        await asyncio.sleep(0.1)
