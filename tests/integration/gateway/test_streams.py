"""Streams: who gets one, how it is laid out, what its silence and its end look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.gateway.conftest import Start
from tests.integration.gateway.echo import Echo

EVENTS = "text/event-stream; charset=utf-8"


def message(number: int) -> dict[str, Any]:
    return {"name": "", "sequence": number}


def event(number: int) -> str:
    return f"data: {json.dumps(message(number), separators=(',', ':'))}\n\n"


@pytest.mark.parametrize(
    ("stream", "accept", "kind"),
    [
        (True, "*/*", EVENTS),
        (True, "application/json", EVENTS),
        (True, "text/event-stream", EVENTS),
        (True, "application/jsonl", "application/jsonl"),
        (True, "application/x-ndjson", "application/jsonl"),
        (False, "text/event-stream", "application/json"),
        (None, "text/event-stream", "application/json"),
        (None, "*/*", "application/json"),
    ],
)
async def test_the_body_decides_on_a_stream_and_accept_on_its_layout(
    start: Start, echo: Echo, stream: bool | None, accept: str, kind: str
) -> None:
    running = await start()
    response = await running.http.post("/echo/say", json={"stream": stream, "count": 1}, headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert echo.last.method == ("StreamSay" if stream else "Say")


async def test_events_are_data_lines_and_the_terminator_ends_them(start: Start) -> None:
    response = await (await start()).http.post("/echo/say", json={"stream": True, "count": 2})
    assert response.text == event(0) + event(1) + "data: [DONE]\n\n"
    assert response.headers["cache-control"] == "no-store"
    assert "content-encoding" not in response.headers


async def test_a_failed_stream_has_no_terminator(start: Start) -> None:
    response = await (await start()).http.post("/echo/say", json={"stream": True, "count": 1, "code": 5})
    assert response.text.startswith(event(0) + 'data: {"error":')
    assert "[DONE]" not in response.text


async def test_streaming_rpcs_are_events_lines_or_arrays_by_accept(start: Start) -> None:
    running = await start()

    async def get(path: str, accept: str) -> tuple[str, str]:
        response = await running.http.get(path, headers={"accept": accept})
        return response.headers["content-type"].partition(";")[0], response.text

    lines = '{"name":"","sequence":0}\n{"name":"","sequence":1}\n'
    array = '[{"name":"","sequence":0},\n{"name":"","sequence":1}]'
    assert await get("/echo/watch?count=2", "*/*") == ("text/event-stream", event(0) + event(1))
    assert await get("/echo/watch?count=2", "application/jsonl") == ("application/jsonl", lines)
    assert await get("/echo/watch?count=2", "application/json") == ("application/json", array)
    assert await get("/echo/watch", "application/json") == ("application/json", "[]")
    assert await get("/echo/watch", "*/*") == ("text/event-stream", "")
    assert await get("/echo/lines?count=2", "*/*") == ("application/jsonl", lines)
    assert await get("/echo/lines?count=2", "text/event-stream") == ("text/event-stream", event(0) + event(1))
    assert await get("/echo/lines?count=2", "application/json, */*;q=0.5") == ("application/jsonl", lines)


@pytest.mark.parametrize(
    ("accept", "layout"),
    [
        ("application/jsonl;q=0.9, text/event-stream;q=0.5", "application/jsonl"),
        ("application/jsonl;q=0.5, text/event-stream;q=0.9", "text/event-stream"),
        ("application/json, text/event-stream;q=0.1", "application/json"),
        ("application/json, text/event-stream", "text/event-stream"),
        ("application/json, application/jsonl", "application/jsonl"),
        ("text/event-stream;charset=utf-8;q=0, application/jsonl;q=0.1", "application/jsonl"),
        ("*/*, application/jsonl;q=0.2", "text/event-stream"),
        ("text/html, */*;q=0.8", "text/event-stream"),
        ("text/html", "text/event-stream"),
    ],
)
async def test_of_several_layouts_the_one_that_is_wanted_most_is_sent(start: Start, accept: str, layout: str) -> None:
    response = await (await start()).http.get("/echo/watch?count=1", headers={"accept": accept})
    assert response.headers["content-type"].partition(";")[0] == layout


async def test_the_items_of_streamed_messages_are_one_value_each(start: Start) -> None:
    running = await start()
    items = [{"numbers": [], "path": "a"}, {"numbers": [], "path": "b"}]

    async def post(path: str, accept: str, **more: Any) -> str:
        body = {"name": "n", "items": items, "count": 2, **more}
        text: str = (await running.http.post(path, json=body, headers={"accept": accept})).text
        return text

    texts = [json.dumps(item, separators=(",", ":")) for item in items * 2]
    assert await post("/echo/rows", "*/*") == "".join(f"{text}\n" for text in texts)
    assert await post("/echo/rows", "application/json") == "[" + ",\n".join(texts) + "]"
    assert await post("/echo/rows", "text/event-stream") == "".join(f"data: {text}\n\n" for text in texts)
    assert await post("/echo/rows", "*/*", items=[]) == ""
    assert await post("/echo/rows", "application/json", items=[]) == "[]"
    assert await post("/echo/names", "*/*") == '"n"\n"n"\n'


async def test_errors_in_mid_stream_are_the_last_line_or_element(start: Start) -> None:
    running = await start()
    url = "/echo/lines?count=1&code=5"
    lines = (await running.http.get(url)).text.splitlines()
    array = (await running.http.get(url, headers={"accept": "application/json"})).json()
    assert [json.loads(line) for line in lines] == array
    assert array[0] == message(0)
    assert array[1]["error"]["code"] == "NOT_FOUND"


async def test_lists_are_lines_or_an_array_and_the_next_page_is_a_header(start: Start) -> None:
    running = await start()
    page = {"items": [{"path": "a"}, {"path": "b"}], "next_page_token": "n2"}
    items = [{"path": "a", "numbers": []}, {"path": "b", "numbers": []}]
    lines = await running.http.post("/echo/list", json=page)
    array = await running.http.post("/echo/list", json=page, headers={"accept": "application/json"})
    empty = await running.http.get("/echo/list")
    no_items = await running.http.get("/echo/list", headers={"accept": "application/json"})
    assert [json.loads(line) for line in lines.text.splitlines()] == array.json() == items
    assert lines.headers["x-next-page-token"] == array.headers["x-next-page-token"] == "n2"
    assert [lines.headers["content-type"], array.headers["content-type"]] == ["application/jsonl", "application/json"]
    assert (empty.text, "x-next-page-token" in empty.headers) == ("", False)
    assert no_items.json() == []


async def test_a_single_response_can_be_one_line(start: Start) -> None:
    running = await start()
    line = await running.http.get("/echo/line?name=n")
    array = await running.http.get("/echo/line?name=n", headers={"accept": "application/json"})
    assert (line.text, line.headers["content-type"]) == ('{"name":"n"}\n', "application/jsonl")
    assert array.json() == [{"name": "n"}]


async def test_logs_are_followed_by_those_who_accept_events(start: Start, echo: Echo) -> None:
    running = await start()
    document = await running.http.get("/echo/log?count=2")
    events = await running.http.get("/echo/log?count=2&sequence=5", headers={"accept": "text/event-stream"})
    assert document.json() == {"count": 2}
    assert events.text == f"id: 5\n{event(5)}id: 6\n{event(6)}"
    assert [seen.method for seen in echo.calls] == ["Log", "FollowLog"]


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(start: Start, echo: Echo) -> None:
    running = await start()
    headers = {"accept": "text/event-stream", "last-event-id": "7"}
    response = await running.http.get("/echo/log?count=1", headers=headers)
    bad = await running.http.get("/echo/log?count=1", headers=headers | {"last-event-id": "x"})
    assert response.text == f"id: 7\n{event(7)}"
    assert (bad.status_code, bad.json()["error"]["message"].partition(":")[0]) == (400, "Last-Event-ID")


async def test_sse_always_sends_the_one_answer_as_an_event(start: Start, echo: Echo) -> None:
    running = await start(sse_always=True)
    quiet = await running.http.post("/echo/say", json={"name": "n"})
    stream = await running.http.post("/echo/say", json={"count": 1, "stream": True})
    other = await running.http.get("/echo/find?name=n")
    failed = await running.http.post("/echo/say", json={"code": 5})
    assert (quiet.headers["content-type"], quiet.text) == (EVENTS, 'data: {"name":"n"}\n\n')
    assert stream.text == event(0) + "data: [DONE]\n\n"
    assert other.json() == {"name": "n"}
    assert failed.status_code == 404
    assert [seen.method for seen in echo.calls[:2]] == ["Say", "StreamSay"]


async def test_head_has_the_headers_of_get_and_no_body(start: Start, echo: Echo) -> None:
    running = await start()
    get = await running.http.get("/echo/find?name=n")
    head = await running.http.head("/echo/find?name=n")
    stream = await running.http.head("/echo/watch?count=3")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert (stream.status_code, stream.headers["content-type"], stream.content) == (200, EVENTS, b"")
    assert [seen.method for seen in echo.calls] == ["Find", "Find"]
