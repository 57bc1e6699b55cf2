"""Where a training begins: a model that inference serves, or a checkpoint by its path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import grpc.aio

from llamastack.models.v1.models_pb2 import GetModelRequest, Model
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from mesh.errors import InvalidField, ResourceNotFound, WrongState, from_rpc
from services.training.post_training.places import Places
from services.training.recipe.spec import Base

SERVED: Final = "model:"
_OUTPUT: Final = "lm_head"
_EMBEDDING: Final = "embed_tokens"
ATTENTION: Final = frozenset({"q_proj", "k_proj", "v_proj", "o_proj"})


@dataclass(frozen=True, slots=True)
class Found:
    """A base: its weights, the id under which they are served (None if by path), and the checkpoint that they are."""

    base: Base
    served: str | None
    parent: str | None


class Models(Protocol):
    """The models that inference serves."""

    async def get(self, name: str) -> Model:
        """Return a model by its id, an alias or the id of an adapter.

        Raises:
            MeshError: what inference says.
        """
        ...


class ServedModels:
    """The models of the inference service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ModelsServiceStub(channel)

    async def get(self, name: str) -> Model:
        """Return a model; see :class:`Models`."""
        try:
            found: Model = await self._stub.GetModel(GetModelRequest(model_id=name))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        return found


class Bases:
    """Finds bases; ``roots`` are folders that anybody may name models in."""

    def __init__(self, models: Models, places: Places, roots: Sequence[Path]) -> None:
        self._models = models
        self._places = places
        self._roots = [root.resolve() for root in roots]

    async def find(self, tenant: str, name: str, field: str) -> Found:
        """Return the base that a request calls ``name`` in a field.

        Raises:
            ResourceNotFound: there is no such model, or it is not the tenant's.
            WrongState: its weights can't be had here.
            MeshError: what inference says.
        """
        if name.startswith(("file://", "/")):
            return self._by_path(tenant, name, field)
        if not name.startswith(SERVED) and "://" in name:
            raise InvalidField(field, "a served model, model:ID, or the path or file:// URL of a checkpoint")
        model = await self._models.get(name.removeprefix(SERVED))
        if not model.HasField("source"):
            raise WrongState(
                f"{field}: the weights of model {model.model_id!r} are served elsewhere and not known here"
            )
        asked = name.removeprefix(SERVED)
        adapter = next((entry for entry in model.adapters if entry.adapter_id == asked), None)
        base = Base(_local(model.source, field), None if adapter is None else _local(adapter.source, field))
        _check_weights(base, field)
        weights = base.adapter or base.source
        return Found(base, model.model_id if adapter is None else None, self._places.checkpoint_id(tenant, weights))

    def _by_path(self, tenant: str, name: str, field: str) -> Found:
        path = Path(name.removeprefix("file://")).resolve()
        parent = self._places.checkpoint_id(tenant, str(path))
        inside = any(path.is_relative_to(root) for root in self._roots)
        if (parent is None and not inside) or not path.is_dir():
            raise ResourceNotFound("model", name)
        if (path / "adapter_config.json").is_file():
            base = self._adapter(path, field)
        elif (path / "config.json").is_file():
            base = Base(str(path))
        else:
            raise WrongState(f"{field}: no model is at that path")
        _check_weights(base, field)
        return Found(base, None, parent)

    def _adapter(self, path: Path, field: str) -> Base:
        """Return the base of an adapter's checkpoint: the weights that it was trained on, with it merged in."""
        named = json.loads((path / "adapter_config.json").read_text()).get("base_model_name_or_path")
        if not named or not Path(named).is_dir():
            raise WrongState(f"{field}: the weights that this adapter belongs to are not here any more")
        return Base(str(named), str(path))


def _check_weights(base: Base, field: str) -> None:
    """Make sure that weights are in a format that nothing can be hidden in; remote ones are looked at by the job.

    Raises:
        WrongState: they are not.
    """
    for folder in map(Path, filter(None, (base.source, base.adapter))):
        if folder.is_dir() and not any(folder.glob("*.safetensors")):
            raise WrongState(f"{field}: the weights are not in safetensors files, and others are not opened")


def _local(source: str, field: str) -> str:
    """Return a source with a folder made absolute."""
    scheme, separator, rest = source.partition("://")
    if separator and scheme != "file":
        return source
    folder = Path(rest or source).absolute()
    if not folder.is_dir():
        raise WrongState(f"{field}: the files of that model can't be read from the training service")
    return str(folder)


def check_modules(base: Base, modules: Sequence[str], field: str) -> None:
    """Make sure that a model has the modules that adapters are asked for, and that adapters go there. Blocks.

    Raises:
        InvalidField: it has not; a remote model is not looked at.
    """
    unknown = [name for name in modules if name not in ATTENTION]
    folder = Path(base.source)
    if not unknown or not folder.is_dir():
        return
    linear = _linear(folder)
    for name in unknown:
        if name not in linear:
            raise InvalidField(
                field, f"q_proj, k_proj, v_proj, output_proj or a linear module of the model; not {name!r}"
            )


def _linear(folder: Path) -> set[str]:
    """Return the names of the modules of a model that are a matrix by their weights, but for embeddings."""
    found = {_OUTPUT}
    for file in folder.glob("*.safetensors"):
        for tensor, shape in _shapes(file).items():
            module, _, kind = tensor.rpartition(".")
            if kind == "weight" and len(shape) == 2:
                found.add(module.rpartition(".")[2])
    return found - {_EMBEDDING}


def _shapes(file: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors of a file by their names, from its header."""
    with file.open("rb") as weights:
        size = int.from_bytes(weights.read(8), "little")
        header = json.loads(weights.read(size))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def speaks(base: Base) -> bool:
    """Return whether a model has a chat template; True for a remote one, which is not looked at."""
    folder = Path(base.source)
    if not folder.is_dir() or (folder / "chat_template.jinja").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and bool(json.loads(settings.read_text()).get("chat_template"))
