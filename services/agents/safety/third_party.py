"""third_party_shield: the service that a definition names decides, by a REST call.

The conversation is sent in the RFC's JSON as the member ``messages``, beside what the definition's configuration holds:
of the body of a POST or PUT, or as JSON text of the query of a GET or DELETE. The answer is the RFC's ShieldResponse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import httpx

from llamastack.common.v1.message_pb2 import Message
from llamastack.common.v1.tool_pb2 import RestApiExecutionConfig, RestApiMethod
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from mesh.addresses import AddressRefused
from mesh.errors import BackendUnavailable, InvalidField, WrongState
from services.agents.safety.message_json import message_json
from services.agents.safety.shield import Finding

VIOLATION_TYPE: Final = "third_party"
"""The type of a violation that the third party does not name."""

RETURN_MESSAGE: Final = "Sorry, I cannot go on with this."
"""What a user is told where the third party says nothing."""

_MOST_BYTES: Final = 1024 * 1024
_URL: Final = "execution_config.url"
_NO_ANSWER: Final = "the third party's answer is no ShieldResponse"


class ThirdPartyShield:
    """The shield; ``client`` reaches the hosts that this deployment allows and raises AddressRefused for others."""

    description = "The service that execution_config names decides."

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Keep the client."""
        self._client = client

    def check(self, definition: ShieldDefinition) -> None:
        """Refuse a definition that names no service."""
        if not definition.HasField("execution_config"):
            raise InvalidField("execution_config", "a call is needed that decides")
        try:
            url = httpx.URL(definition.execution_config.url.uri)
        except httpx.InvalidURL as error:
            raise InvalidField(_URL, "a valid URL is needed") from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise InvalidField(_URL, "a URL of http: or https: is needed")

    async def obstacle(self) -> str | None:
        """Return None: what could be in the way is each definition's own."""
        return None

    async def judge(self, messages: Sequence[Message], definition: ShieldDefinition) -> Finding | None:
        """Return what the third party finds."""
        request = self._request(messages, definition.execution_config)
        try:
            response = await self._client.send(request, stream=True)
            try:
                return _finding(await _read(response))
            finally:
                await response.aclose()
        except AddressRefused as error:
            raise InvalidField(_URL, error.expected) from error
        except httpx.HTTPError as error:
            # httpx names addresses in some of its texts
            raise BackendUnavailable("the third party can't be reached") from error

    def _request(self, messages: Sequence[Message], config: RestApiExecutionConfig) -> httpx.Request:
        conversation = [message_json(message) for message in messages]
        method = RestApiMethod.Name(config.method).removeprefix("REST_API_METHOD_")
        params, headers = dict(config.params), dict(config.headers)
        if method in {"GET", "DELETE"}:
            params["messages"] = json.dumps(conversation)
            return self._client.build_request(method, config.url.uri, params=params, headers=headers)
        body = {**config.body, "messages": conversation}
        return self._client.build_request(method, config.url.uri, params=params or None, headers=headers, json=body)


async def _read(response: httpx.Response) -> Any:
    status = response.status_code
    if status == 429 or status >= 500:
        raise BackendUnavailable(f"the third party answered {status}")
    if status != 200:
        raise WrongState(f"the third party answered {status}")
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if len(data) > _MOST_BYTES:
            raise WrongState("the third party's answer is too large")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WrongState(_NO_ANSWER) from error


def _finding(answer: Any) -> Finding | None:
    if not isinstance(answer, dict) or not isinstance(answer.get("is_violation"), bool):
        raise WrongState(_NO_ANSWER)
    told = [answer.get(name) for name in ("violation_type", "violation_return_message")]
    if not all(each is None or isinstance(each, str) for each in told):
        raise WrongState(_NO_ANSWER)
    return Finding(told[0] or VIOLATION_TYPE, told[1] or RETURN_MESSAGE) if answer["is_violation"] else None
