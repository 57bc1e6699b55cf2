"""The models of the catalog as OpenAI's API lists them: models and adapters alike, each under its id."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from llamastack.openai.v1 import model_pb2 as pb
from services.inference.catalog import Catalog
from services.inference.entry import Entry

OWNER = "altiplano"


class ModelList:
    """The models that requests may name."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep the catalog."""
        self._catalog = catalog

    def all(self) -> pb.ListModelsResponse:
        """Return all models and adapters that are ready, by id."""
        found = [model for entry in self._catalog.entries() if entry.ready for model in _models(entry)]
        return pb.ListModelsResponse(data=sorted(found, key=lambda model: model.id))

    def one(self, name: str) -> pb.Model:
        """Return a model by its id or an alias, or an adapter by its id.

        Raises:
            ResourceNotFound: nothing has that name.
        """
        entry = self._catalog.get(name)
        return next((model for model in _models(entry) if model.id == name), next(_models(entry)))


def _models(entry: Entry) -> Iterator[pb.Model]:
    """Yield the model, then its adapters."""
    owner = next((host for address in entry.spec.addresses if (host := urlsplit(address).hostname)), OWNER)
    yield pb.Model(id=entry.spec.model_id, created=int(entry.created_at.timestamp()), owned_by=owner)
    for name, adapter in entry.adapters.items():
        yield pb.Model(id=name, created=int(adapter.loaded_at.timestamp()), owned_by=owner)
