"""Finds out where a request is answered: by an engine of this process, or where its model is served."""

from __future__ import annotations

from services.inference.backend import Backend
from services.inference.catalog import Catalog
from services.inference.chat import Chat
from services.inference.completion import Completions, Pooling


class Local:
    """The backend of the engines in this process."""

    def __init__(self, catalog: Catalog) -> None:
        """Answer with the models of a catalog that run here."""
        chat, completions, pooling = Chat(catalog), Completions(catalog), Pooling(catalog)
        self.complete = completions.complete
        self.stream_completion = completions.stream
        self.chat = chat.complete
        self.stream_chat = chat.stream
        self.embed = pooling.embed
        self.score = pooling.score


class Router:
    """Knows the backend of every model of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep the catalog."""
        self._catalog = catalog
        self._local = Local(catalog)

    def backend(self, model: str) -> Backend:
        """Return where requests for a model go.

        Raises:
            ResourceNotFound: nothing has that name.
            BackendUnavailable: the model is not ready yet.
            WrongState: the model has failed or is being taken out of service.
        """
        return self._catalog.remote(model) or self._local
