"""What HTTP itself asks of a gateway: sizes, codings, types, ids, timeouts, pages of other origins, limits."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import brotli
import pytest

from tests.integration.gateway.conftest import Start
from tests.integration.gateway.echo import Echo

LARGE = "x" * 3000


async def chunks(*parts: bytes) -> Any:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('Application/JSON; charset="UTF-8"', 200),
        ("application/vnd.api+json", 200),
        (None, 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=utf-16", 415),
        ("application/grpc", 415),
    ],
)
async def test_bodies_are_json_in_utf8(start: Start, kind: str | None, status: int) -> None:
    headers = {} if kind is None else {"content-type": kind}
    response = await (await start()).http.post("/echo/find", content='{"name":"é"}'.encode(), headers=headers)
    assert response.status_code == status
    if status == 415:
        assert response.json()["error"]["code"] == "INVALID_ARGUMENT"


async def test_bodies_over_the_limit_are_refused_however_they_come(start: Start, echo: Echo) -> None:
    running = await start(max_body_bytes=100)
    declared = await running.http.post("/echo/find", content=b'{"name":"%s"}' % (b"x" * 100))
    chunked = await running.http.post("/echo/find", content=chunks(b'{"name":"', b"x" * 60, b"x" * 60, b'"}'))
    bomb = gzip.compress(b'{"name":"%s"}' % (b"x" * 5000))
    inflated = await running.http.post("/echo/find", content=bomb, headers={"content-encoding": "gzip"})
    fit = await running.http.post("/echo/find", content=chunks(b'{"name":"', b"x" * 50, b'"}'))
    assert [declared.status_code, chunked.status_code, inflated.status_code, fit.status_code] == [413, 413, 413, 200]
    assert declared.json()["error"]["reason"] == "REQUEST_TOO_LARGE"
    assert len(echo.calls) == 1


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", gzip.compress(b'{"name":"n"}', mtime=0), 200),
        ("x-gzip", gzip.compress(b'{"name":"n"}', mtime=0), 200),
        ("identity", b'{"name":"n"}', 200),
        ("gzip", b'{"name":"n"}', 400),
        ("gzip", gzip.compress(b'{"name":"n"}', mtime=0)[:-4], 400),
        ("gzip", gzip.compress(b'{"name":"n"}', mtime=0) + b"more", 400),
        ("br", brotli.compress(b'{"name":"n"}'), 415),
        ("deflate", zlib.compress(b'{"name":"n"}'), 415),
    ],
)
async def test_bodies_may_be_compressed_with_gzip(start: Start, coding: str, body: bytes, status: int) -> None:
    response = await (await start()).http.post("/echo/find", content=body, headers={"content-encoding": coding})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("*", "br"),
        ("br;q=0, *;q=0.1", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=x", None),
        ("", None),
    ],
)
async def test_large_responses_are_compressed_as_the_client_likes_it(
    start: Start, accept: str, coding: str | None
) -> None:
    running = await start()
    response = await running.http.post("/echo/find", json={"name": LARGE}, headers={"accept-encoding": accept})
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "accept-encoding"
    assert response.json() == {"name": LARGE}


async def test_small_responses_streams_and_settings_leave_responses_as_they_are(start: Start) -> None:
    accept = {"accept-encoding": "gzip, br"}
    running = await start()
    small = await running.http.post("/echo/find", json={"name": "n"}, headers=accept)
    stream = await running.http.post("/echo/say", json={"name": LARGE, "count": 2, "stream": True}, headers=accept)
    off = await (await start(compress=False)).http.post("/echo/find", json={"name": LARGE}, headers=accept)
    assert [response.headers.get("content-encoding") for response in (small, stream, off)] == [None] * 3


async def test_request_ids_are_taken_over_made_up_and_passed_on(start: Start, echo: Echo) -> None:
    running = await start()
    given = await running.http.get("/echo/find", headers={"x-request-id": "mine-1"})
    seen = [echo.last.metadata["x-request-id"]]
    unfit = await running.http.get("/echo/find", headers={"x-request-id": "a\tb"})
    seen.append(echo.last.metadata["x-request-id"])
    made = await running.http.get("/nothing")
    assert given.headers["x-request-id"] == seen[0] == "mine-1"
    assert unfit.headers["x-request-id"] == seen[1] != "a\tb"
    assert len(made.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"grpc-timeout": "5S"}, 4.0, 5.0),
        ({"grpc-timeout": "5000m"}, 4.0, 5.0),
        ({"grpc-timeout": "2M"}, 119.0, 120.0),
        ({"x-request-timeout": "5"}, 4.0, 5.0),
        ({"x-request-timeout": "2.5s"}, 1.5, 2.5),
        ({"x-request-timeout": "5000ms"}, 4.0, 5.0),
        ({"x-request-timeout": "1m"}, 59.0, 60.0),
        ({"x-request-timeout": "9", "grpc-timeout": "5S"}, 4.0, 5.0),
        ({"x-request-timeout": "1000000"}, 86_399.0, 86_400.0),
        ({}, 599.0, 600.0),
    ],
)
async def test_timeouts_are_passed_on_as_deadlines(
    start: Start, echo: Echo, headers: dict[str, str], low: float, high: float
) -> None:
    response = await (await start()).http.get("/echo/find", headers=headers)
    assert response.status_code == 200
    assert echo.last.time_remaining is not None
    # the runtime rounds up, longer times more coarsely
    assert low < echo.last.time_remaining <= high * 1.01 + 0.1


async def test_a_stream_has_no_deadline_unless_the_caller_names_one(start: Start, echo: Echo) -> None:
    running = await start()
    await running.http.get("/echo/watch?count=1")
    free = echo.last.time_remaining
    await running.http.get("/echo/watch?count=1", headers={"x-request-timeout": "5"})
    assert free is None
    assert echo.last.time_remaining is not None


@pytest.mark.parametrize(
    "headers",
    [
        {"grpc-timeout": "5"},
        {"grpc-timeout": "5s"},
        {"grpc-timeout": "123456789S"},
        {"x-request-timeout": "soon"},
        {"x-request-timeout": "-1"},
        {"x-request-timeout": "0"},
        {"x-request-timeout": ""},
    ],
)
async def test_bad_timeouts_are_refused(start: Start, echo: Echo, headers: dict[str, str]) -> None:
    response = await (await start()).http.get("/echo/find", headers=headers)
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "INVALID_FIELD")
    assert echo.calls == []


async def test_a_deadline_that_passes_is_504_or_the_last_event(start: Start) -> None:
    running = await start()
    headers = {"x-request-timeout": "200ms"}
    unary = await running.http.post("/echo/say", json={"name": "hang"}, headers=headers)
    stream = await running.http.post("/echo/say", json={"name": "hang", "count": 1, "stream": True}, headers=headers)
    assert (unary.status_code, unary.json()["error"]["code"]) == (504, "DEADLINE_EXCEEDED")
    assert stream.text.split("\n\n")[1].startswith('data: {"error":{"code":"DEADLINE_EXCEEDED"')


async def test_provider_data_is_passed_on_and_a_forged_identity_is_not(start: Start, echo: Echo) -> None:
    headers = {"x-llamastack-providerdata": '{"key":1}', "x-llamastack-identity": "forged", "cookie": "a=b"}
    await (await start()).http.get("/echo/find", headers=headers)
    metadata = echo.last.metadata
    assert metadata["x-llamastack-providerdata"] == '{"key":1}'
    assert "x-llamastack-identity" not in metadata
    assert "cookie" not in metadata


async def test_provider_data_that_no_call_can_carry_is_refused(start: Start, echo: Echo) -> None:
    running = await start()
    answers = [
        await running.http.get("/echo/find", headers={"x-llamastack-providerdata": data})
        for data in ("k" * 20_000, b"\xff")
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert {answer.json()["error"]["message"] for answer in answers} == {
        "X-LlamaStack-ProviderData: expected printable ASCII of at most 16384 characters"
    }
    assert not echo.calls


async def test_pages_of_named_origins_may_call(start: Start) -> None:
    running = await start(origins=("https://app.example",), credentials=True)
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "content-type, x-mine"}
    preflight = await running.http.options("/echo/say", headers={"origin": "https://app.example", **ask})
    response = await running.http.post("/echo/say", json={"code": 5}, headers={"origin": "https://app.example"})
    stranger = await running.http.options("/echo/say", headers={"origin": "https://evil.example", **ask})
    assert preflight.status_code == 204
    assert {name: value for name, value in preflight.headers.items() if name.startswith("access-control")} == {
        "access-control-allow-origin": "https://app.example",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-request-id, x-next-page-token, retry-after",
        "access-control-allow-methods": "OPTIONS, POST",
        "access-control-allow-headers": "content-type, x-mine",
        "access-control-max-age": "3600",
    }
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (404, "https://app.example")
    assert not [name for name in stranger.headers if name.startswith("access-control")]


async def test_every_page_may_call_where_the_setting_says_so_but_without_credentials(start: Start) -> None:
    running = await start(origins=("*",), credentials=True)
    response = await running.http.get("/echo/find", headers={"origin": "https://any.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


async def test_requests_over_the_limit_are_refused_and_health_still_answers(start: Start, echo: Echo) -> None:
    running = await start(max_concurrent=1)
    first = asyncio.create_task(running.http.post("/echo/say", json={"name": "hang"}))
    async with asyncio.timeout(5):
        await echo.started.wait()
    second = await running.http.post("/echo/say", json={})
    health = await running.http.get("/healthz")
    echo.go_on.set()
    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert second.json()["error"]["reason"] == "OVERLOADED"
    assert health.status_code == 200
    assert (await first).json() == {"name": "hang"}
    assert (await running.http.post("/echo/say", json={})).status_code == 200


async def test_the_document_shows_what_is_deployed_and_is_sent_once(start: Start) -> None:
    running = await start()
    first = await running.http.get("/openapi.json")
    again = await running.http.get("/openapi.json", headers={"if-none-match": first.headers["etag"]})
    assert "/echo/say" in first.json()["paths"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("accept", "coding"), [("gzip, br", "br"), ("gzip", "gzip"), ("identity", None)])
@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_documents_are_compressed_and_known_by_a_tag_for_each_coding(
    start: Start, path: str, accept: str, coding: str | None
) -> None:
    running = await start()
    plain = await running.http.get(path, headers={"accept-encoding": "identity"})
    first = await running.http.get(path, headers={"accept-encoding": accept})
    known = {"accept-encoding": accept, "if-none-match": f'"other", W/{first.headers["etag"]}'}
    again = await running.http.get(path, headers=known)
    assert (first.headers.get("content-encoding"), first.headers["vary"]) == (coding, "accept-encoding")
    assert first.content == plain.content
    assert (first.headers["etag"] == plain.headers["etag"]) == (coding is None)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def test_documents_are_sent_as_they_are_where_the_setting_says_so(start: Start) -> None:
    running = await start(compress=False)
    response = await running.http.get("/openapi.json", headers={"accept-encoding": "br"})
    assert not {"content-encoding", "vary"} & set(response.headers)


async def test_readiness_tells_the_state_of_each_area(start: Start) -> None:
    running = await start()
    await running.http.get("/echo/find")
    assert (await running.http.get("/readyz")).json() == {"status": "ready", "upstreams": {"echo": "ready"}}
    running.gateway.admission.begin_draining()
    draining = await running.http.get("/readyz")
    assert (draining.status_code, draining.json()["status"], draining.headers["connection"]) == (
        503,
        "draining",
        "close",
    )
    assert (await running.http.get("/healthz")).status_code == 200


async def test_a_defect_of_the_gateway_is_an_id_in_the_answer_and_the_rest_in_the_log(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start()

    def broken(*arguments: object) -> bytes:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr("gateway.bind.Binder.bind", broken)
    response = await running.http.get("/echo/find")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, "INTERNAL")
    assert "secret" not in response.text
    assert "a secret detail" in caplog.text
    assert error["details"][0]["metadata"]["error_id"] == caplog.records[-1].error_id  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("origin", "host", "bind", "status"),
    [
        (None, "127.0.0.1:8080", "127.0.0.1:0", 200),
        (None, "localhost", "127.0.0.1:0", 200),
        (None, "[::1]:8080", "127.0.0.1:0", 200),
        (None, "app.example", "127.0.0.1:0", 200),
        (None, "evil.example:8080", "127.0.0.1:0", 403),
        (None, "stack.example", "0.0.0.0:0", 200),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:0", 200),
        ("http://localhost:8080", "localhost:8080", "127.0.0.1:0", 200),
        ("https://app.example", "127.0.0.1:8080", "127.0.0.1:0", 200),
        ("https://evil.example", "127.0.0.1:8080", "127.0.0.1:0", 403),
        ("http://localhost:3000", "127.0.0.1:8080", "127.0.0.1:0", 403),
        ("http://evil.example:8080", "evil.example:8080", "127.0.0.1:0", 403),
        ("http://stack.example", "stack.example", "0.0.0.0:0", 200),
        ("null", "127.0.0.1:8080", "127.0.0.1:0", 403),
    ],
)
async def test_without_authentication_pages_of_others_may_not_call(
    start: Start, echo: Echo, origin: str | None, host: str, bind: str, status: int
) -> None:
    running = await start(origins=("https://app.example",), bind=bind, insecure=True)
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    response = await running.http.post("/echo/say", content=b"{}", headers=headers)
    assert (response.status_code, len(echo.calls)) == (status, int(status == 200))


async def test_a_name_that_was_pointed_here_reads_nothing(listen: Start) -> None:
    running = await listen()
    port = running.http.base_url.port
    for path in ("/echo/find?name=n", "/openapi.json", "/nothing"):
        response = await running.http.get(path, headers={"host": f"evil.example:{port}"})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
    every = await (await listen(origins=("*",))).http.get("/echo/find", headers={"host": "evil.example"})
    assert every.status_code == 200


async def test_the_pages_are_served_with_their_types_and_can_not_be_framed(start: Start) -> None:
    running = await start()
    page, script = await running.http.get("/"), await running.http.get("/console/console.js")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert page.headers["x-frame-options"] == "DENY"
    assert (await running.http.get("/docs/")).headers["content-type"] == "text/html; charset=utf-8"
