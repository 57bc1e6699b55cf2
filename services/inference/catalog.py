"""The models that this service knows: what they are called, where they run, what adapters they carry.

The catalog is the only place that turns a name in a request into an engine. What was registered is kept in a JSON file,
so that a restarted service knows it again; the models that the configuration names are not in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mesh.errors import (
    BackendUnavailable,
    Internal,
    InvalidField,
    MeshError,
    ResourceExists,
    ResourceNotFound,
    WrongState,
)
from services.inference.backend import Remote
from services.inference.engine import Engine, EngineInfo, Model
from services.inference.entry import AdapterEntry, Entry, State, Target
from services.inference.model_file import ModelFile
from services.inference.model_spec import AdapterSpec, ModelSpec
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.sources import Sources

log = logging.getLogger(__name__)

REACH_PAUSE_SECONDS = 1.0
FIRST_LOAD_PAUSE_SECONDS = 1.0
LONGEST_LOAD_PAUSE_SECONDS = 60.0


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
        self._file = ModelFile(file)
        self._now = now
        self._entries: dict[str, Entry] = {}
        self._names: dict[str, str] = {}
        self._builtin: set[str] = set()
        # known from earlier, not loaded: the model is not ready yet, or the adapter could not be loaded
        self._unloaded: dict[str, AdapterSpec] = {}

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
        origin = entry.spec.source or ""
        adapter = entry.adapters.get(name)
        if adapter is None:
            return Target(entry.spec.model_id, entry.engine, entry.info, entry.format, None, origin)
        origin = f"{origin} {adapter.spec.source}"
        return Target(entry.spec.model_id, entry.engine, entry.info, entry.format, name, origin)

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

        ``builtin`` is for a model that the configuration names; it is not kept in the file.

        Raises:
            ResourceExists: the id or an alias stands for something else.
            ResourceNotFound: the source is a folder that does not exist.
        """
        known = self._entries.get(spec.model_id)
        if known is not None and known.state is not State.FAILED:
            if known.spec == spec:
                return known
            raise ResourceExists("model", spec.model_id)
        entry = self._begin(spec, patient=builtin)
        if builtin:
            self._builtin.add(spec.model_id)
        else:
            self._save()
        return entry

    async def watch(self, entry: Entry, every_s: float = 1.0) -> AsyncIterator[Entry]:
        """Yield the entry on each change, and at least every ``every_s`` seconds, until it is ready.

        Raises:
            MeshError: what the registration failed with.
            WrongState: the model was taken out of service meanwhile.
        """
        while True:
            if entry.failure is not None:
                raise entry.failure
            if entry.state is State.DRAINING:
                raise WrongState(f"model {entry.spec.model_id} was taken out of service")
            entry.changed.clear()
            yield entry
            if entry.ready:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(entry.changed.wait(), every_s)

    async def unregister(self, model_id: str) -> None:
        """Take a model out of service and stop its engine when its running requests are done.

        Raises:
            ResourceNotFound: no model has that id.
        """
        entry = self._entries.pop(model_id, None)
        if entry is None:
            raise ResourceNotFound("model", model_id)
        _set(entry, State.DRAINING, "it is being taken out of service")
        self._forget_names(model_id)
        self._builtin.discard(model_id)
        self._unloaded = {name: spec for name, spec in self._unloaded.items() if spec.model_id != model_id}
        self._save()
        await _halted(entry)
        if entry.model is not None:
            await _drained(entry.model)
            await entry.model.stop()

    async def load_adapter(self, spec: AdapterSpec) -> AdapterEntry:
        """Load a LoRA adapter on a model that is ready; ``spec`` may name the model by an alias.

        Raises:
            ResourceExists: the id stands for something else.
            WrongState: the model takes no adapters or the adapter does not fit.
        """
        target = self.resolve(spec.model_id)
        entry = self._entries[target.model_id]
        spec = replace(spec, model_id=target.model_id)
        async with entry.adapters_lock:
            known = entry.adapters.get(spec.adapter_id)
            if known is not None and known.spec == spec:
                return known
            if spec.adapter_id in self._names:
                raise ResourceExists("adapter", spec.adapter_id)
            self._names[spec.adapter_id] = target.model_id
            try:
                loaded = await self._loaded(target.engine, spec)
            except BaseException:
                self._names.pop(spec.adapter_id, None)
                raise
            entry.adapters[spec.adapter_id] = loaded
            self._unloaded.pop(spec.adapter_id, None)
            self._save()
        return loaded

    async def unload_adapter(self, adapter_id: str) -> None:
        """Unload an adapter.

        Raises:
            ResourceNotFound: no adapter has that id.
        """
        entry = self._entries.get(self._names.get(adapter_id, ""))
        if entry is None or adapter_id not in entry.adapters or entry.engine is None:
            raise ResourceNotFound("adapter", adapter_id)
        async with entry.adapters_lock:
            loaded = entry.adapters.pop(adapter_id, None)
            if loaded is None:
                raise ResourceNotFound("adapter", adapter_id)
            try:
                await entry.engine.unload_adapter(adapter_id)
            except BaseException:
                entry.adapters[adapter_id] = loaded
                raise
            self._names.pop(adapter_id)
            self._save()

    async def stop(self) -> None:
        """Stop all engines."""
        entries = list(self._entries.values())
        await asyncio.gather(*map(_halted, entries))
        await asyncio.gather(*(entry.model.stop() for entry in entries if entry.model is not None))

    def restore(self) -> None:
        """Register again what was registered before the service was restarted, adapters included."""
        registered = self._file.read()
        self._unloaded = {spec.adapter_id: spec for spec in registered.adapters}
        for spec in registered.models:
            try:
                self._begin(spec, patient=True)
            except MeshError as error:
                log.warning("model %s is not registered again: %s", spec.model_id, error)
        for adapter in registered.adapters:
            if adapter.model_id in self._entries:
                self._names.setdefault(adapter.adapter_id, adapter.model_id)

    def _begin(self, spec: ModelSpec, *, patient: bool) -> Entry:
        """Make a model known under its names and begin to load it, or to reach it if it is served elsewhere."""
        for name in (spec.model_id, *spec.aliases):
            if self._names.get(name, spec.model_id) != spec.model_id:
                raise ResourceExists("model", name)
        if spec.source is not None:
            self._sources.folder(spec.source)
        entry = Entry(spec, self._now())
        self._forget_names(spec.model_id)
        self._entries[spec.model_id] = entry
        self._names |= dict.fromkeys((spec.model_id, *spec.aliases), spec.model_id)
        if spec.addresses:
            work = self._reach(entry, patient=patient)
        else:
            work = self._load_patiently(entry) if patient else self._load(entry)
        entry.work = asyncio.create_task(work, name=f"load-{spec.model_id}")
        entry.work.add_done_callback(lambda work: _ended(entry, work))
        return entry

    async def _reach(self, entry: Entry, *, patient: bool) -> None:
        """Connect to a model that is served elsewhere; ``patient`` waits for it instead of failing."""
        _set(entry, State.LOADING)
        remote = self._workshop.remote(entry.spec)
        try:
            while entry.info is None:
                try:
                    entry.info = await remote.start()
                except BackendUnavailable as error:
                    if not patient:
                        raise
                    _set(entry, State.LOADING, error.message)
                    await asyncio.sleep(REACH_PAUSE_SECONDS)
        except BaseException:
            await remote.stop()
            raise
        entry.remote = remote
        _set(entry, State.READY)

    async def _load_patiently(self, entry: Entry) -> None:
        """Load a model, again after a pause that doubles as long as it fails for what may pass."""
        pause = FIRST_LOAD_PAUSE_SECONDS
        while True:
            try:
                return await self._load(entry)
            except BackendUnavailable as error:
                told = f"{error.message}; trying again in {pause:g} s"
                log.warning("model %s: %s", entry.spec.model_id, told)
                _set(entry, State.LOADING, told)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOAD_PAUSE_SECONDS)

    async def _load(self, entry: Entry) -> None:
        spec = entry.spec
        folder = None if spec.source is None else await self._fetched(entry, spec.source)
        _set(entry, State.LOADING)
        engine = self._workshop.engine(spec, folder)
        try:
            info = await engine.start()
            entry.format = await asyncio.to_thread(self._workshop.format, spec, folder, info)
            await self._load_earlier_adapters(entry, engine)
        except BaseException:
            await engine.stop()
            raise
        entry.engine, entry.info = engine, info
        _set(entry, State.READY)

    async def _load_earlier_adapters(self, entry: Entry, engine: Engine) -> None:
        """Load the adapters that the model had before the restart; one that fails does not hold up the model."""
        model_id = entry.spec.model_id
        for spec in [spec for spec in self._unloaded.values() if spec.model_id == model_id]:
            try:
                entry.adapters[spec.adapter_id] = await self._loaded(engine, spec)
            except MeshError as error:
                log.warning("adapter %s is not loaded again: %s", spec.adapter_id, error)
                self._names.pop(spec.adapter_id, None)
            else:
                del self._unloaded[spec.adapter_id]

    async def _loaded(self, engine: Engine, spec: AdapterSpec) -> AdapterEntry:
        folder = self._sources.folder(spec.source)
        if folder is None:
            async for _ in self._sources.fetch(spec.source):
                pass
            folder = self._sources.folder(spec.source)
        rank = await engine.load_adapter(spec.adapter_id, str(folder))
        return AdapterEntry(spec, rank, self._now())

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

    def _forget_names(self, model_id: str) -> None:
        self._names = {name: owner for name, owner in self._names.items() if owner != model_id}

    def _save(self) -> None:
        entries = self._entries.items()
        loaded = [adapter.spec for _, entry in entries for adapter in entry.adapters.values()]
        models = [entry.spec for name, entry in entries if name not in self._builtin]
        self._file.write(models, [*loaded, *self._unloaded.values()])


def _ended(entry: Entry, work: asyncio.Task[None]) -> None:
    """Tell why a model could not be brought up."""
    if work.cancelled() or (error := work.exception()) is None:
        return
    if isinstance(error, MeshError):
        log.error("model %s failed: %s", entry.spec.model_id, error)  # told to the caller as well
        entry.failure = error
    else:
        entry.failure = Internal()
        log.error("model %s failed (%s)", entry.spec.model_id, entry.failure, exc_info=error)
    _set(entry, State.FAILED, entry.failure.message)


async def _halted(entry: Entry) -> None:
    """Return when the model is no longer being brought up."""
    if entry.work is not None:
        entry.work.cancel()
        await asyncio.wait([entry.work])


def _set(entry: Entry, state: State, message: str = "") -> None:
    entry.state, entry.message = state, message
    entry.changed.set()


async def _drained(model: Model, seconds: float = 30.0) -> None:
    """Return when the model has no request left, or after some time."""
    for _ in range(int(seconds / 0.1)):
        if model.running() == 0:
            return
        await asyncio.sleep(0.1)
