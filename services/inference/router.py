"""Finds out where a request is answered: by an engine of this process, or where its model is served."""

from __future__ import annotations

from collections.abc import Callable

from services.inference.backend import Backend, OpenAIBackend
from services.inference.catalog import Catalog
from services.inference.chat import Chat
from services.inference.completion import Completions, Pooling
from services.inference.openai.chat import ChatCompletions
from services.inference.openai.completions import TextCompletions
from services.inference.openai.embeddings import TextEmbeddings


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


class LocalOpenAI:
    """The same for requests of OpenAI's API."""

    def __init__(self, catalog: Catalog, now: Callable[[], float]) -> None:
        """``now`` is the clock, in seconds since 1970."""
        chat, completions = ChatCompletions(catalog, now), TextCompletions(catalog, now)
        self.chat = chat.complete
        self.stream_chat = chat.stream
        self.complete = completions.complete
        self.stream_completion = completions.stream
        self.embed = TextEmbeddings(catalog).embed


class Router:
    """Knows the backends of every model of a catalog."""

    def __init__(self, catalog: Catalog, now: Callable[[], float]) -> None:
        """``now`` is the clock, in seconds since 1970."""
        self._catalog = catalog
        self._local = Local(catalog)
        self._local_openai = LocalOpenAI(catalog, now)

    def backend(self, model: str) -> Backend:
        """Return where requests for a model go.

        Raises:
            ResourceNotFound: nothing has that name.
            BackendUnavailable: the model is not ready yet.
            WrongState: the model has failed or is being taken out of service.
        """
        return self._catalog.remote(model) or self._local

    def openai(self, model: str) -> OpenAIBackend:
        """Return where requests of OpenAI's API for a model go; the errors are those of :meth:`backend`."""
        remote = self._catalog.remote(model)
        return self._local_openai if remote is None else remote.openai
