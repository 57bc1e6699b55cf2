"""HTTP/1.1 as bytes on a connection: order, framing, half-closed and slow clients, and what is refused."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.integration.gateway.conftest import Running, Start, until
from tests.integration.gateway.echo import Echo

WAIT_S = 10
FIND = b"GET /echo/find?name=%b HTTP/1.1\r\nhost: localhost\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(running: Running) -> Streams:
    return await asyncio.open_connection("127.0.0.1", running.http.base_url.port)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes], bytes]:
    """Read one response with a length: its status, headers and body."""
    async with asyncio.timeout(WAIT_S):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        headers = dict(line.split(b": ", 1) for line in lines)
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return int(first.split()[1]), headers, body


async def rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return await reader.read()


def post(name: str, *headers: str) -> bytes:
    body = json.dumps({"name": name}).encode()
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"POST /echo/find HTTP/1.1\r\nhost: localhost\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


CHUNKED = (
    b"POST /echo/find HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    b'5;x=y\r\n{"nam\r\n9\r\ne":"two"}\r\n0\r\n\r\n'
)


async def test_requests_that_come_at_once_are_answered_in_order(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(post("one") + CHUNKED + FIND % b"three" + post("four"))
    answers = [await answer(reader) for _ in range(4)]
    assert [body for _, _, body in answers] == [b'{"name":"%s"}' % name for name in (b"one", b"two", b"three", b"four")]
    writer.close()


@pytest.mark.parametrize("size", [1, 7, 50])
async def test_requests_are_read_however_they_are_cut(listen: Start, size: int) -> None:
    reader, writer = await connect(await listen())
    data = post("one") + CHUNKED + FIND % b"three"
    for start in range(0, len(data), size):
        writer.write(data[start : start + size])
        await writer.drain()
        await asyncio.sleep(0)
    answers = [await answer(reader) for _ in range(3)]
    assert [body for _, _, body in answers] == [b'{"name":"one"}', b'{"name":"two"}', b'{"name":"three"}']
    writer.close()


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(listen: Start) -> None:
    reader, writer = await connect(await listen())
    head, body = post("n", "expect: 100-continue").split(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    async with asyncio.timeout(WAIT_S):
        assert await reader.readuntil(b"\r\n\r\n") == CONTINUE
    writer.write(body)
    assert (await answer(reader))[2] == b'{"name":"n"}'
    writer.write(FIND % b"next")
    assert (await answer(reader))[2] == b'{"name":"next"}'
    writer.close()


async def test_a_body_that_will_not_be_read_is_not_asked_for(listen: Start) -> None:
    reader, writer = await connect(await listen(max_body_bytes=10))
    writer.write(post("too long by far", "expect: 100-continue").split(b"{")[0])
    status, headers, _ = await answer(reader)
    assert (status, headers[b"connection"], await rest(reader)) == (413, b"close", b"")
    writer.close()


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_client_that_closed_its_half_is_answered(listen: Start, echo: Echo, hangs: bool) -> None:
    reader, writer = await connect(await listen())
    body = json.dumps({"name": "hang" if hangs else "n"}).encode()
    writer.write(b"POST /echo/say HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    writer.write_eof()
    if hangs:
        async with asyncio.timeout(WAIT_S):
            # what shows whether somebody is there
            assert await reader.readexactly(2 * len(CONTINUE)) == 2 * CONTINUE
        assert not echo.cancelled.is_set()
        echo.go_on.set()
    # more of them may have been sent meanwhile
    whole = (await rest(reader)).replace(CONTINUE, b"")
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"connection: close\r\n\r\n" + body.replace(b" ", b""))
    writer.close()


async def test_a_client_that_closed_its_half_gets_all_its_answers(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(FIND % b"1" + FIND % b"2")
    writer.write_eof()
    assert [(await answer(reader))[2] for _ in range(2)] == [b'{"name":"1"}', b'{"name":"2"}']
    assert await rest(reader) == b""
    writer.close()


async def test_a_client_that_closed_its_half_gets_its_stream(listen: Start, echo: Echo) -> None:
    reader, writer = await connect(await listen())
    body = b'{"name":"hang","count":1,"stream":true}'
    writer.write(b"POST /echo/say HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    writer.write_eof()
    async with asyncio.timeout(WAIT_S):
        await reader.readuntil(b":\n\n")
    echo.go_on.set()
    assert (await rest(reader)).endswith(b"0\r\n\r\n")
    writer.close()


async def test_a_request_that_breaks_off_is_not_served(listen: Start, echo: Echo) -> None:
    reader, writer = await connect(await listen())
    writer.write(post("n")[:-3])
    writer.write_eof()
    assert await rest(reader) == b""
    assert echo.calls == []
    writer.close()


async def test_a_slow_client_gets_every_byte_and_its_next_request_waits(listen: Start, echo: Echo) -> None:
    running = await listen(compress=False)
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port, limit=2**14)
    name = "n" * 4_000_000
    writer.write(post(name) + post("next"))
    await until(lambda: len(echo.calls) == 1)
    status, _, body = await answer(reader)
    assert (status, len(body)) == (200, len(name) + len('{"name":""}'))
    assert (await answer(reader))[2] == b'{"name":"next"}'
    writer.close()


LENGTH = b"content-length: 4\r\n"
CODED = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: %b\r\n\r\n0\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
REFUSED = {
    "a length and chunks": b"POST / HTTP/1.1\r\nhost: localhost\r\n%btransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    % LENGTH,
    "chunks and a length": b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n%b\r\n0\r\n\r\n"
    % LENGTH,
    "two lengths": b"POST / HTTP/1.1\r\nhost: localhost\r\n%bcontent-length: 5\r\n\r\n1234" % LENGTH,
    "one length twice": b"POST / HTTP/1.1\r\nhost: localhost\r\n%b%b\r\n1234" % (LENGTH, LENGTH),
    "a length that is none": b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: +4\r\n\r\n1234",
    "chunks that are not the last coding": CODED % b"chunked, x",
    "a coding nobody knows": CODED % b"xchunked",
    "a coding below the chunks": CODED % b"gzip, chunked",
    "a space before a colon": b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length : 4\r\n\r\n1234",
    "a folded header": b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b: c\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nhost: g\n\n",
    "a zero byte": b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: h\r\n\r\n",
    "two keys": b"GET / HTTP/1.1\r\nhost: localhost\r\nx-api-key: a\r\nx-api-key: b\r\n\r\n",
    "another version": b"GET / HTTP/2.0\r\nhost: localhost\r\n\r\n",
    "an older version": b"GET / HTTP/0.9\r\nhost: localhost\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_others_may_read_otherwise_is_refused_and_ends_the_connection(listen: Start, kind: str) -> None:
    running = await listen()
    reader, writer = await connect(running)
    writer.write(REFUSED[kind] + FIND % b"smuggled")
    status, headers, body = await answer(reader)
    assert (status, headers[b"connection"], json.loads(body)["error"]["reason"]) == (
        400,
        b"close",
        "MALFORMED_REQUEST",
    )
    assert await rest(reader) == b""
    assert running.watched.finished == []
    writer.close()


async def test_what_came_before_nonsense_is_answered_first(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(FIND % b"1" + FIND % b"2" + b"NONSENSE\r\n\r\n")
    answers = [await answer(reader) for _ in range(3)]
    assert [(status, body) for status, _, body in answers[:2]] == [(200, b'{"name":"1"}'), (200, b'{"name":"2"}')]
    assert (answers[2][0], await rest(reader)) == (400, b"")
    writer.close()


async def test_headers_behind_a_body_do_not_count(listen: Start, echo: Echo) -> None:
    reader, writer = await connect(await listen())
    writer.write(CHUNKED.replace(b"0\r\n\r\n", b"0\r\nx-request-id: late\r\n\r\n"))
    status, headers, _ = await answer(reader)
    assert (status, headers[b"x-request-id"] == b"late") == (200, False)
    writer.close()


async def test_headers_behind_a_body_have_an_end(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(CHUNKED[:-2])
    filler = b"x-filler: " + b"x" * 1000 + b"\r\n"
    for _ in range(200):
        writer.write(filler)
        await asyncio.sleep(0)
    assert (await answer(reader))[0] == 431
    writer.close()


@pytest.mark.parametrize("keeps", [False, True])
async def test_old_clients_are_served_as_they_ask(listen: Start, keeps: bool) -> None:
    reader, writer = await connect(await listen())
    old = b"GET /echo/find?name=n HTTP/1.0\r\n%b\r\n" % (b"connection: keep-alive\r\n" if keeps else b"")
    writer.write(old)
    status, headers, body = await answer(reader)
    kept = b"keep-alive" if keeps else b"close"
    assert (status, headers[b"connection"], body) == (200, kept, b'{"name":"n"}')
    if keeps:
        writer.write(old)
        assert (await answer(reader))[0] == 200
    else:
        assert await rest(reader) == b""
    writer.close()


async def test_a_stream_to_an_old_client_ends_with_the_connection(listen: Start) -> None:
    reader, writer = await connect(await listen())
    body = b'{"name":"n","count":1,"stream":true}'
    writer.write(b"POST /echo/say HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    head, _, events = (await rest(reader)).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert events == b'data: {"name":"n","sequence":0}\n\ndata: [DONE]\n\n'
    writer.close()


async def test_a_client_may_ask_for_the_end_of_the_connection(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(post("n", "connection: close"))
    status, headers, _ = await answer(reader)
    assert (status, headers[b"connection"], await rest(reader)) == (200, b"close", b"")
    writer.close()


async def test_a_wish_for_another_protocol_is_passed_over(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(post("n", "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABk"))
    assert (await answer(reader))[2] == b'{"name":"n"}'
    writer.write(FIND % b"next")
    assert (await answer(reader))[2] == b'{"name":"next"}'
    writer.close()


async def test_a_body_that_nobody_reads_does_not_spoil_the_next_request(listen: Start) -> None:
    reader, writer = await connect(await listen())
    writer.write(b"POST /nothing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 300000\r\n\r\n" + b"x" * 100_000)
    assert (await answer(reader))[0] == 404
    writer.write(b"x" * 200_000 + FIND % b"next")
    assert (await answer(reader))[2] == b'{"name":"next"}'
    writer.close()


async def test_an_idle_connection_is_closed_without_a_word(listen: Start) -> None:
    running = await listen()
    assert running.server is not None
    running.server.idle_s = 0.05
    reader, writer = await connect(running)
    writer.write(FIND % b"n")
    assert (await answer(reader))[0] == 200
    assert await rest(reader) == b""
    writer.close()


async def test_draining_closes_idle_connections(listen: Start) -> None:
    running = await listen()
    assert running.server is not None
    reader, writer = await connect(running)
    writer.write(FIND % b"n")
    assert (await answer(reader))[0] == 200
    running.server.drain()
    assert await rest(reader) == b""
    writer.close()


async def test_letters_of_a_path_may_be_encoded(listen: Start) -> None:
    running = await listen()
    assert (await running.http.get("/ech%6F/fin%64?name=n")).json() == {"name": "n"}
    assert (await running.http.get("/echo%2Ffind")).status_code == 404
