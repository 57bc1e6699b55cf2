"""What went wrong in a service, or on the way there, is told in HTTP's terms."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from gateway.errors import HTTP_STATUS
from mesh.auth.authenticator import Credentials
from mesh.errors import InvalidCredentials
from mesh.identity import Identity
from tests.integration.gateway.conftest import Start
from tests.integration.gateway.echo import Echo

FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
# what has no text of ours behind it is a defect of a stranger, told by an id alone
AS_INTERNAL = {grpc.StatusCode.UNKNOWN: grpc.StatusCode.INTERNAL}
STANDARD = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


def test_the_map_is_the_standard_one() -> None:
    assert {code.name: status for code, status in HTTP_STATUS.items() if code.value[0]} == STANDARD


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
async def test_a_failed_call_has_the_status_and_the_name_of_its_code(start: Start, code: grpc.StatusCode) -> None:
    running = await start()
    response = await running.http.post("/echo/say", json={"code": code.value[0]})
    assert response.status_code == HTTP_STATUS[code]
    error = response.json()["error"]
    assert error.keys() == {"code", "message", "reason", "details"}
    assert error["code"] == AS_INTERNAL.get(code, code).name
    assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert error["details"][0]["domain"] == "llamastack"


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
async def test_a_call_that_fails_in_mid_stream_tells_so_in_its_last_event(start: Start, code: grpc.StatusCode) -> None:
    running = await start()
    response = await running.http.post("/echo/say", json={"stream": True, "count": 2, "code": code.value[0]})
    events = response.text.split("\n\n")
    assert response.status_code == 200
    assert events[:2] == [f'data: {{"name":"","sequence":{number}}}' for number in range(2)]
    assert events[2].startswith('data: {"error":{"code":"' + AS_INTERNAL.get(code, code).name)
    assert events[3:] == [""]


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
async def test_a_stream_that_fails_before_its_first_message_has_the_status_of_its_code(
    start: Start, code: grpc.StatusCode
) -> None:
    running = await start()
    response = await running.http.post("/echo/say", json={"stream": True, "code": code.value[0]})
    assert response.status_code == HTTP_STATUS[code]
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "text",
    [
        'Traceback (most recent call last):\n  File "/srv/app/service.py", line 3, in run',
        'boom at File "/srv/app/x.py", line 3',
        "died in /srv/app/service.py:33",
    ],
)
async def test_no_traceback_reaches_a_caller(start: Start, text: str) -> None:
    running = await start()
    for stream in (False, True):
        body = {"code": grpc.StatusCode.INVALID_ARGUMENT.value[0], "owner": text, "count": 1, "stream": stream}
        response = await running.http.post("/echo/say", json=body)
        assert "an internal error occurred (id " in response.text
        assert ".py" not in response.text
        assert "Traceback" not in response.text


async def test_a_service_that_is_away_is_unavailable_and_says_when_to_try_again(start: Start) -> None:
    running = await start(upstreams=("echo=127.0.0.1:1",))
    response = await running.http.post("/echo/say", json={})
    error = response.json()["error"]
    assert (response.status_code, response.headers["retry-after"], error["reason"]) == (503, "1", "BACKEND_UNAVAILABLE")
    assert "127.0.0.1" not in response.text


async def test_a_service_without_an_address_is_not_found_by_name(start: Start) -> None:
    running = await start(upstreams=())
    response = await running.http.get("/echo/find")
    assert response.status_code == 404
    assert response.json() == {
        "error": {
            "code": "NOT_FOUND",
            "message": "llamastack.echo.v1.EchoService is not part of this deployment",
            "reason": "NOT_SUPPORTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "NOT_SUPPORTED",
                    "domain": "llamastack",
                    "metadata": {"service": "llamastack.echo.v1.EchoService"},
                }
            ],
        }
    }
    assert (await running.http.get("/openapi.json")).json()["paths"] == {}


async def test_openai_services_have_openais_errors(start: Start) -> None:
    running = await start()
    missing = await running.http.post("/talk", json={"code": 5, "owner": "no such model"})
    unfit = await running.http.post("/talk", json={"size": "x"})
    stream = await running.http.post("/talk", json={"code": 14, "count": 1, "stream": True})
    assert (missing.status_code, missing.json()) == (
        404,
        {
            "error": {
                "message": "no such model",
                "type": "invalid_request_error",
                "param": None,
                "code": "resource_not_found",
            }
        },
    )
    assert (unfit.status_code, unfit.json()["error"]["param"]) == (400, "size")
    assert stream.text.split("\n\n")[1].startswith('data: {"error":{"message":')
    assert '"type":"server_error"' in stream.text


async def test_unknown_paths_and_verbs_are_told_apart(start: Start) -> None:
    running = await start()
    path = await running.http.get("/nothing/here")
    verb = await running.http.delete("/echo/find")
    assert (path.status_code, path.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert (verb.status_code, verb.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST, REPORT")


async def test_options_lists_the_verbs_of_a_path(start: Start) -> None:
    response = await (await start()).http.options("/echo/say")
    assert (response.status_code, response.headers["allow"], response.content) == (204, "OPTIONS, POST", b"")


class Keys:
    """Knows one key."""

    def __init__(self, scopes: frozenset[str]) -> None:
        self._scopes = scopes

    def begin(self) -> None:
        pass

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        key = credentials.metadata.get("x-api-key")
        if key is None:
            return None
        if key != "right":
            raise InvalidCredentials
        return Identity("key:test", "acme", self._scopes)


async def statuses(running: Any, *paths: str) -> list[int]:
    return [(await running.http.get(path, headers={"x-api-key": "right"})).status_code for path in paths]


async def test_callers_have_to_prove_who_they_are_where_authentication_is_on(start: Start, echo: Echo) -> None:
    running = await start(authenticator=Keys(frozenset({"echo:*"})))
    none = await running.http.get("/echo/find")
    wrong = await running.http.get("/echo/find", headers={"x-api-key": "wrong"})
    assert [none.status_code, wrong.status_code] == [401, 401]
    assert none.headers["www-authenticate"] == 'Bearer realm="llamastack"'
    assert none.json()["error"]["reason"] == "INVALID_CREDENTIALS"
    assert echo.calls == []
    assert await statuses(running, "/echo/find", "/healthz", "/readyz", "/openapi.json") == [200] * 4


async def test_callers_need_the_scope_of_the_contract(start: Start, echo: Echo) -> None:
    running = await start(authenticator=Keys(frozenset({"echo:read", "other:*"})))
    allowed = await running.http.get("/echo/find", headers={"x-api-key": "right"})
    refused = await running.http.post("/echo/say", json={}, headers={"x-api-key": "right"})
    assert allowed.status_code == 200
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, "the scope echo:use is needed")
    assert [seen.method for seen in echo.calls] == ["Find"]


async def test_an_rpc_without_a_stated_access_is_open_to_nobody(start: Start) -> None:
    running = await start(authenticator=Keys(frozenset({"*:*"})))
    assert await statuses(running, "/echo/closed") == [403]
