"""A REST API as a tool: one call by its configuration, to addresses that are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from llamastack.common.v1.tool_pb2 import RestApiExecutionConfig, RestApiMethod
from mesh.errors import WrongState
from services.agents.tools.tool import Answer, Arguments, Description, Surroundings
from services.agents.tools.web import Request, Web
from services.agents.tools.words import text_of

_PREFIX: Final = "REST_API_METHOD_"
_IN_QUERY: Final = frozenset({"GET", "DELETE"})


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by the names that registrations use for them; none of them is ever shown."""

    values: Mapping[str, str]

    def __repr__(self) -> str:
        """Return nothing of the values."""
        return "Secrets(…)"

    def named(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Return values under the keys of ``wanted``, whose values are names of secrets.

        Raises:
            WrongState: there is no secret of that name.
        """
        for name in wanted.values():
            if name not in self.values:
                raise WrongState(f"the secret {name!r} is not configured")
        return {key: self.values[name] for key, name in wanted.items()}


class RestTool:
    """Calls a REST API; ``secret_headers`` are names of secrets by the header."""

    def __init__(
        self, description: Description, web: Web, secrets: Secrets, secret_headers: Mapping[str, str] | None = None
    ) -> None:
        """``description`` holds the configuration of the call."""
        self.description = description
        self._web = web
        self._secrets = secrets
        self._secret_headers = dict(secret_headers or {})

    @property
    def unavailable_reason(self) -> str | None:
        """Which secret is missing."""
        for name in self._secret_headers.values():
            if name not in self._secrets.values:
                return f"the secret {name!r} is not configured"
        return None

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Make the call and return the text of its answer."""
        hidden = self._secrets.named(self._secret_headers)
        config = self.description.execution_config
        assert config is not None
        reply = await self._web.send(_request(config, arguments, hidden), idempotent=self.description.idempotent)
        return Answer((reply.data.decode("utf-8", "replace"),))


def _request(config: RestApiExecutionConfig, arguments: Arguments, hidden: Mapping[str, str]) -> Request:
    """Return the request: arguments are in the query of a GET or DELETE, else in the JSON body."""
    method = RestApiMethod.Name(config.method).removeprefix(_PREFIX)
    params: dict[str, str] = dict(config.params)
    body: dict[str, Any] | None = dict(config.body) or None
    if method in _IN_QUERY:
        params |= {name: text_of(value) for name, value in arguments.items()}
    else:
        body = {**config.body, **arguments}
    headers = {**config.headers, **hidden}
    return Request(method, config.url.uri, params, headers, body, tuple(hidden.values()))
