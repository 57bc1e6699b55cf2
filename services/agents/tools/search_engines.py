"""The search engines behind the tool brave_search; each gives its best results as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from services.agents.tools.tool import ToolFailed
from services.agents.tools.web import Request, Web

Result: TypeAlias = dict[str, Any]

_BRAVE_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "web": ("type", "title", "url", "description", "date", "page_age", "extra_snippets"),
    "news": ("type", "title", "url", "description", "age"),
    "videos": ("type", "title", "url", "description", "date"),
    "faq": ("type", "question", "answer", "title", "url"),
    "discussions": ("type", "title", "url", "description"),
    "infobox": ("type", "title", "url", "description", "long_desc"),
    "locations": (
        "type", "title", "url", "description", "coordinates", "postal_address", "contact", "rating", "distance",
        "zoom_level",
    ),
}  # fmt: skip


class SearchEngine(Protocol):
    """One search engine; ``missing`` says which setting it lacks, None for none."""

    @property
    def missing(self) -> str | None:
        """The setting without which it can't work."""
        ...

    async def search(self, query: str, most: int) -> list[Result]:
        """Return the best results, at most so many.

        Raises:
            ToolFailed: the engine told of an error.
            BackendUnavailable: it does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Brave:
    """Brave's web search API; ``key`` is a subscription token."""

    web: Web
    url: str
    key: str | None

    @property
    def missing(self) -> str | None:
        """The setting without which it can't work."""
        return None if self.key else "BRAVE_SEARCH_API_KEY"

    async def search(self, query: str, most: int) -> list[Result]:
        """Return the first of what Brave ranks over all kinds of results."""
        headers = {"X-Subscription-Token": self.key or "", "Accept": "application/json"}
        found = _object(await _get(self.web, f"{self.url}/res/v1/web/search", {"q": query}, headers, self.key))
        results: list[Result] = []
        for place in _list(_object(found.get("mixed", {})).get("main")):
            result = _brave_result(found, _object(place))
            if result and len(results) < most:
                results.append(result)
        return results


@dataclass(frozen=True, slots=True)
class Bing:
    """Bing's web search API of version 7."""

    web: Web
    url: str
    key: str | None

    @property
    def missing(self) -> str | None:
        """The setting without which it can't work."""
        return None if self.key else "BING_SEARCH_API_KEY"

    async def search(self, query: str, most: int) -> list[Result]:
        """Return the first web pages."""
        headers = {"Ocp-Apim-Subscription-Key": self.key or ""}
        params = {"q": query, "count": str(most)}
        found = _object(await _get(self.web, f"{self.url}/v7.0/search", params, headers, self.key))
        pages = _list(_object(found.get("webPages", {})).get("value"))
        return [
            _chosen(_object(page), {"name": "title", "url": "url", "snippet": "description"}) for page in pages[:most]
        ]


@dataclass(frozen=True, slots=True)
class Tavily:
    """Tavily's search API."""

    web: Web
    url: str
    key: str | None

    @property
    def missing(self) -> str | None:
        """The setting without which it can't work."""
        return None if self.key else "TAVILY_SEARCH_API_KEY"

    async def search(self, query: str, most: int) -> list[Result]:
        """Return the first results."""
        request = Request(
            "POST",
            f"{self.url}/search",
            headers={"Authorization": f"Bearer {self.key}"},
            body={"query": query, "max_results": most},
            secrets=(self.key or "",),
        )
        found = _object((await self.web.send(request, idempotent=True)).json())
        names = {"title": "title", "url": "url", "content": "description", "score": "score"}
        return [_chosen(_object(each), names) for each in _list(found.get("results"))[:most]]


@dataclass(frozen=True, slots=True)
class Searxng:
    """A SearXNG server, which has to allow the format json."""

    web: Web
    url: str

    @property
    def missing(self) -> str | None:
        """The setting without which it can't work."""
        return None if self.url else "SEARXNG_URL"

    async def search(self, query: str, most: int) -> list[Result]:
        """Return the first results."""
        found = _object(await _get(self.web, f"{self.url}/search", {"q": query, "format": "json"}, {}, None))
        names = {"title": "title", "url": "url", "content": "description"}
        return [_chosen(_object(each), names) for each in _list(found.get("results"))[:most]]


async def _get(web: Web, url: str, params: Mapping[str, str], headers: Mapping[str, str], key: str | None) -> Any:
    request = Request("GET", url, params, headers, secrets=(key or "",))
    return (await web.send(request, idempotent=True)).json()


def _brave_result(found: Mapping[str, Any], place: Mapping[str, Any]) -> Result | None:
    """Return the result that an entry of ``mixed.main`` points at, None if it points nowhere."""
    kind = place.get("type")
    if not isinstance(kind, str) or kind not in _BRAVE_FIELDS:
        return None
    names = {name: name for name in _BRAVE_FIELDS[kind]}
    results = _list(_object(found.get(kind, {})).get("results"))
    if place.get("all"):
        return {"type": kind, "results": [_chosen(_object(each), names) for each in results]} if results else None
    index = place.get("index", 0)
    if not isinstance(index, int) or not 0 <= index < len(results):
        return None
    return _chosen(_object(results[index]), names)


def _chosen(result: Mapping[str, Any], names: Mapping[str, str]) -> Result:
    return {told: result[name] for name, told in names.items() if result.get(name) is not None}


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ToolFailed("the search engine's answer has another form than expected")
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
