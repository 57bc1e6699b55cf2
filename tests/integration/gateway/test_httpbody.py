"""Answers that are bytes of a media type: what a browser is told about them, and how a broken one looks."""

from __future__ import annotations

from base64 import b64encode

import httpx
import pytest

from gateway import openapi
from tests.integration.gateway.conftest import Start
from tests.integration.gateway.echo import Echo, contract

SAFE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
}


def told(response: httpx.Response) -> dict[str, str]:
    """Return what a response says about its body."""
    return {name: response.headers[name] for name in (*SAFE, "content-type", "content-disposition")}


@pytest.mark.parametrize(
    ("given", "kind", "disposition"),
    [
        (
            "text/html; charset=utf-8; name=report.html",
            'text/html; charset="utf-8"',
            "inline; filename*=UTF-8''report.html",
        ),
        ("image/png", "image/png", "inline"),
        ("application/json", "application/json", "inline"),
        (
            "application/zip; name*=utf-8''Gr%C3%B6%C3%9Fe%22.zip",
            "application/zip",
            "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%22.zip",
        ),
        ("", "application/octet-stream", "attachment"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream", "attachment"),
        ("no type", "application/octet-stream", "attachment"),
    ],
)
async def test_bytes_are_sent_as_what_they_are_and_can_do_nothing(
    start: Start, given: str, kind: str, disposition: str
) -> None:
    body = b"<script>alert(1)</script>\0\xff" * 40
    query = {"content_type": given, "data": b64encode(body).decode()}
    response = await (await start()).http.get("/echo/body", params=query)
    assert (response.status_code, response.content) == (200, body)
    assert told(response) == SAFE | {"content-type": kind, "content-disposition": disposition}
    assert "set-cookie" not in response.headers


async def test_the_messages_of_a_stream_are_one_body(start: Start) -> None:
    running = await start()
    response = await running.http.get("/echo/bodies", params={"count": 3, "name": "text/plain; name=n.txt"})
    assert response.content == b"0\n1\n2\n"
    wanted = SAFE | {"content-type": "text/plain", "content-disposition": "inline; filename*=UTF-8''n.txt"}
    assert told(response) == wanted
    head = await running.http.head("/echo/bodies", params={"count": 3, "name": "text/plain; name=n.txt"})
    assert (head.content, told(head)) == (b"", wanted)
    empty = await running.http.get("/echo/bodies")
    assert (empty.status_code, empty.content, empty.headers["content-type"]) == (200, b"", "application/octet-stream")


async def test_a_failure_before_the_first_byte_is_an_error_like_any_other(start: Start) -> None:
    response = await (await start()).http.get("/echo/bodies", params={"code": 5, "owner": "no such file"})
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")


async def test_nobody_takes_a_part_for_the_whole(listen: Start, echo: Echo) -> None:
    running = await listen()
    with pytest.raises(httpx.RemoteProtocolError):
        await running.http.get("/echo/bodies", params={"count": 2, "code": 14})
    assert echo.last.method == "Bodies"


def test_the_document_says_that_it_is_bytes() -> None:
    settings = openapi.Settings(services=frozenset({"llamastack.echo.v1.EchoService"}))
    answer = openapi.render(contract(), settings)["paths"]["/echo/bodies"]["get"]["responses"]["200"]
    [(kind, media)] = answer["content"].items()
    assert (kind, media["schema"]["contentMediaType"]) == ("*/*", "application/octet-stream")
