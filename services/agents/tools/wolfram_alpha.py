"""wolfram_alpha: computation and facts by the Wolfram|Alpha full results API."""

from __future__ import annotations

import json
from typing import Any

from mesh.errors import WrongState
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Surroundings, ToolFailed, parameter
from services.agents.tools.web import Request, Web


class WolframAlpha:
    """Asks Wolfram|Alpha; ``key`` is its app id."""

    def __init__(self, web: Web, url: str, key: str | None, timeout_s: float) -> None:
        """Keep where it is."""
        self._web = web
        self._url = url
        self._key = key
        self.description = Description(
            name="wolfram_alpha",
            kind=Kind.BUILTIN,
            text="Compute, convert units, solve equations and look facts up.",
            parameters={"query": parameter("str", "What to compute or look up.")},
            timeout_s=timeout_s,
            idempotent=True,
        )

    @property
    def unavailable_reason(self) -> str | None:
        """Which setting is missing."""
        return None if self._key else "the setting WOLFRAM_ALPHA_API_KEY is needed"

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Return the texts of the result's pods.

        Raises:
            WrongState: there is no key.
        """
        if not self._key:
            raise WrongState(f"wolfram_alpha is not available: {self.unavailable_reason}")
        query = str(arguments["query"])
        params = {"input": query, "appid": self._key, "format": "plaintext", "output": "json"}
        request = Request("GET", f"{self._url}/v2/query", params, secrets=(self._key,))
        reply = (await self._web.send(request, idempotent=True)).json()
        return Answer((json.dumps({"query": query, "top_k": _pods(reply)}, ensure_ascii=False),))


def _pods(reply: Any) -> list[dict[str, str]]:
    """Return title and text of each pod that has a text."""
    result = reply.get("queryresult") if isinstance(reply, dict) else None
    if not isinstance(result, dict):
        raise ToolFailed("Wolfram|Alpha's answer has another form than expected")
    if result.get("error"):
        raise ToolFailed("Wolfram|Alpha reported an error")
    pods = []
    for pod in result.get("pods") or []:
        texts = [str(part["plaintext"]) for part in pod.get("subpods") or [] if part.get("plaintext")]
        if texts:
            pods.append({"title": str(pod.get("title", "")), "text": "\n".join(texts)})
    return pods
