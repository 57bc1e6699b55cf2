"""Paths, queries and bodies become the request that the contract describes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.gateway.conftest import Start
from tests.integration.gateway.echo import Echo

BOOK = "shelves/1/books/2"


async def call(start: Start, verb: str, url: str, **arguments: Any) -> Any:
    running = await start()
    response = await running.http.request(verb, url, **arguments)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(start: Start, verb: str, url: str, **arguments: Any) -> tuple[str, str, list[str]]:
    running = await start()
    response = await running.http.request(verb, url, **arguments)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    fields = [violation["field"] for detail in error["details"] for violation in detail.get("field_violations", ())]
    return error["code"], error["reason"], fields


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/echo/find?name=a&size=3&flag=true&ratio=0.5", {"name": "a", "size": 3, "flag": True, "ratio": 0.5}),
        ("/echo/find?tags=a&tags=b,c", {"tags": ["a", "b,c"]}),
        ("/echo/find?inner.path=x&inner.deep=false", {"inner": {"path": "x", "deep": False, "numbers": []}}),
        ("/echo/find?inner.numbers=1&inner.numbers=2", {"inner": {"numbers": [1, 2]}}),
        ("/echo/find?labels.env=prod&labels.a=%20b", {"labels": {"env": "prod", "a": " b"}}),
        ("/echo/find?color=deep_red", {"color": "deep_red"}),
        ("/echo/find?color=2", {"color": "blue"}),
        ("/echo/find?holder=me", {"owner": "me", "holder": "me"}),
        ("/echo/find?owner=me&holder=me", {"owner": "me", "holder": "me"}),
        ("/echo/find?sequence=9007199254740993", {"sequence": 9007199254740993}),
        ("/echo/find?nextPageToken=t", {"next_page_token": "t"}),
        ("/echo/find?link=http%3A%2F%2Fx", {"link": "http://x"}),
        ("/echo/find?name=", {"name": ""}),
        ("/echo/find/?name=a", {"name": "a"}),
        ("/echo/things/a%2Fb%20c", {"name": "a/b c"}),
        ("/echo/things/%E2%82%AC?size=1", {"name": "€", "size": 1}),
        ("/echo/files/a/b%20c/d", {"name": "a/b c/d"}),
        ("/echo/files/a%2Fb/c", {"name": "a%2Fb/c"}),
        ("/echo/shelves/1/books/2", {"inner": {"path": BOOK, "numbers": []}}),
        (
            "/echo/shelves/1/books/2?inner.deep=true",
            {"inner": {"path": "shelves/1/books/2", "deep": True, "numbers": []}},
        ),
    ],
)
async def test_queries_and_paths_are_read_by_the_types_of_their_fields(
    start: Start, url: str, expected: dict[str, Any]
) -> None:
    assert await call(start, "GET", url) == expected


@pytest.mark.parametrize(
    ("verb", "url", "body", "expected"),
    [
        ("POST", "/echo/find", {"name": "a", "size": None}, {"name": "a"}),
        ("POST", "/echo/find", None, {}),
        ("PUT", "/echo/things/n", {"size": 1}, {"name": "n", "size": 1}),
        ("PUT", "/echo/things/n", {"size": 1, "name": "n"}, {"name": "n", "size": 1}),
        ("POST", "/echo/things/n:polish", {}, {"name": "n"}),
        ("REPORT", "/echo/find?name=r", None, {"name": "r"}),
        ("POST", "/echo/tag?name=n", ["a", "b"], {"name": "n", "tags": ["a", "b"]}),
        ("POST", "/echo/tag?name=n", [], {"name": "n"}),
        ("POST", "/echo/tag?name=n", None, {"name": "n"}),
        ("POST", "/echo/tag?name=n", {"tags": ["a"], "size": 2}, {"name": "n", "tags": ["a"], "size": 2}),
        ("POST", "/echo/tag", {"name": "n", "tags": ["a"]}, {"name": "n", "tags": ["a"]}),
        ("PATCH", "/echo/enclose?name=n", {"path": "p"}, {"path": "p", "numbers": []}),
        ("PATCH", "/echo/enclose?name=n", None, None),
        ("DELETE", "/echo/name?name=n", None, "n"),
        ("DELETE", "/echo/name?name=n", {}, "n"),
        ("POST", "/echo/need", {"name": "n"}, {"name": "n"}),
        ("GET", "/echo/need?name=n", None, {"name": "n"}),
        ("GET", "/echo/need/n", None, {"name": "n"}),
    ],
)
async def test_bodies_join_paths_and_queries(start: Start, verb: str, url: str, body: Any, expected: Any) -> None:
    assert await call(start, verb, url, json=body) == expected


async def test_a_body_that_is_absent_empty_or_blank_is_no_body(start: Start) -> None:
    running = await start()
    answers = [(await running.http.post("/echo/find?name=n", content=body)).json() for body in (b"", b"  \n", b"null")]
    assert answers == [{"name": "n"}] * 3


@pytest.mark.parametrize(
    ("verb", "url", "body", "expected"),
    [
        ("GET", "/echo/find?nothing=1", None, ("INVALID_FIELD", ["nothing"])),
        ("GET", "/echo/find?inner.nothing=1", None, ("INVALID_FIELD", ["inner.nothing"])),
        ("GET", "/echo/find?inner=1", None, ("INVALID_FIELD", ["inner"])),
        ("GET", "/echo/find?items=1", None, ("INVALID_FIELD", ["items[0]"])),
        ("GET", "/echo/find?size=x", None, ("INVALID_FIELD", ["size"])),
        ("GET", "/echo/find?size=1.5", None, ("INVALID_FIELD", ["size"])),
        ("GET", "/echo/find?size=2147483648", None, ("INVALID_FIELD", ["size"])),
        ("GET", "/echo/find?flag=1", None, ("INVALID_FIELD", ["flag"])),
        ("GET", "/echo/find?color=green", None, ("INVALID_FIELD", ["color"])),
        ("GET", "/echo/find?ratio=1,5", None, ("INVALID_FIELD", ["ratio"])),
        ("GET", "/echo/find?size=1&size=2", None, ("INVALID_FIELD", ["size"])),
        ("GET", "/echo/find?owner=a&holder=b", None, ("INVALID_FIELD", ["holder"])),
        ("GET", "/echo/things/a?name=b", None, ("INVALID_FIELD", ["name"])),
        ("GET", "/echo/find?name=%FF", None, ("MALFORMED_REQUEST", [])),
        ("GET", "/echo/find", {"name": "n"}, ("MALFORMED_REQUEST", [])),
        ("PUT", "/echo/things/n", {"name": "m"}, ("INVALID_FIELD", ["name"])),
        ("POST", "/echo/find", {"unknown": 1}, ("INVALID_FIELD", ["unknown"])),
        ("POST", "/echo/find", {"owner": "a", "holder": "b"}, ("INVALID_FIELD", ["holder"])),
        ("POST", "/echo/find", {"items": [{}, {"path": 1}]}, ("INVALID_FIELD", ["items[1].path"])),
        ("POST", "/echo/find", [1], ("INVALID_FIELD", ["body"])),
        ("POST", "/echo/tag", "text", ("INVALID_FIELD", ["body"])),
        ("POST", "/echo/tag", [1], ("INVALID_FIELD", ["tags[0]"])),
        ("POST", "/echo/tag?name=a", {"name": "b"}, ("INVALID_FIELD", ["name"])),
        ("POST", "/echo/need", None, ("INVALID_FIELD", ["name"])),
        ("GET", "/echo/need", None, ("INVALID_FIELD", ["name"])),
        ("POST", "/echo/say", {"stream": 1}, ("INVALID_FIELD", ["stream"])),
        ("POST", "/echo/find", {"stream": True}, ("INVALID_FIELD", ["stream"])),
    ],
)
async def test_what_does_not_fit_is_refused_by_name(
    start: Start, verb: str, url: str, body: Any, expected: tuple[str, list[str]]
) -> None:
    arguments = {} if body is None else {"json": body}
    assert await refused(start, verb, url, **arguments) == ("INVALID_ARGUMENT", *expected)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (b'{"name": "a"', "line 1 column 13"),
        (b'{"name":\n  nul}', "line 2"),
        (b'{"name": "a" "b"}', "line 1 column 14"),
        (b"\xff", "line 1"),
    ],
)
async def test_broken_json_is_refused_with_the_position(start: Start, text: bytes, position: str) -> None:
    response = await (await start()).http.post("/echo/find", content=text)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["reason"]) == (400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")
    assert position in error["message"]


async def test_a_member_that_occurs_twice_is_refused(start: Start) -> None:
    response = await (await start()).http.post("/echo/find", content=b'{"name": "a", "name": "b"}')
    assert response.status_code == 400
    assert response.json()["error"]["reason"] == "MALFORMED_REQUEST"


async def test_unknown_parameters_and_members_are_skipped_where_the_settings_say_so(start: Start) -> None:
    running = await start(ignore_unknown_query_parameters=True, ignore_unknown_fields=True)
    response = await running.http.post("/echo/find?nothing=1&size=2", json={"none": 1, "name": "n"})
    assert response.json() == {"name": "n", "size": 2}


async def test_the_settings_of_writing_change_names_enums_and_wrapped_values(start: Start) -> None:
    running = await start(preserve_proto_field_names=False, always_print_enums_as_ints=True, wrap_urls=True)
    body = {"next_page_token": "t", "color": "blue", "link": "http://x"}
    response = await running.http.post("/echo/find", json=body)
    assert response.json() == {"nextPageToken": "t", "color": 2, "link": {"uri": "http://x"}}


async def test_documents_are_indented_where_the_setting_says_so_and_nothing_else_is(start: Start) -> None:
    running = await start(add_whitespace=True)
    document = await running.http.post("/echo/find", json={"name": "n", "size": 2})
    assert document.text == '{\n  "name": "n",\n  "size": 2\n}'
    stream = await running.http.post("/echo/say", json={"count": 1, "stream": True})
    assert stream.text == 'data: {"name":"","sequence":0}\n\ndata: [DONE]\n\n'


async def test_every_rpc_is_at_its_own_name_where_the_setting_says_so(start: Start, echo: Echo) -> None:
    running = await start(auto_mapping=True)
    unary = await running.http.post("/llamastack.echo.v1.EchoService/Say", json={"name": "n"})
    stream = await running.http.post("/llamastack.echo.v1.EchoService/StreamSay", json={"count": 1})
    page = {"items": [{"path": "a", "numbers": []}], "next_page_token": "t"}
    document = await running.http.post("/llamastack.echo.v1.EchoService/List", json=page)
    assert unary.json() == {"name": "n"}
    assert (document.headers["content-type"], document.json()) == ("application/json", page)
    assert stream.text == 'data: {"name":"","sequence":0}\n\n'
    assert [seen.method for seen in echo.calls] == ["Say", "StreamSay", "List"]


async def test_no_rpc_is_at_its_own_name_by_default(start: Start) -> None:
    response = await (await start()).http.post("/llamastack.echo.v1.EchoService/Say", json={})
    assert response.status_code == 404
