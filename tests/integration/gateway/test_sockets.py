"""What only a real connection shows: clients that leave or are slow, silence, and the end of the server."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.gateway.conftest import Running, Start, until
from tests.integration.gateway.echo import Echo

WAIT_S = 10


async def raw(running: Running, path: str, body: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a POST on a connection of its own."""
    assert running.server is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port, limit=2**16)
    content = json.dumps(body).encode()
    writer.write(
        b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (path.encode(), len(content)) + content
    )
    await writer.drain()
    return reader, writer


async def test_a_client_that_leaves_cancels_its_unary_call(listen: Start, echo: Echo) -> None:
    running = await listen()
    _, writer = await raw(running, "/echo/say", {"name": "hang"})
    await until(echo.started.is_set)
    writer.close()
    await until(echo.cancelled.is_set)
    await until(lambda: bool(running.watched.finished))
    exchange = running.watched.finished[0]
    assert (exchange.status, exchange.gone, exchange.error and exchange.error.code.name) == (499, True, "CANCELLED")
    assert running.gateway.admission.active == 0


async def test_a_client_that_leaves_cancels_its_stream(listen: Start, echo: Echo) -> None:
    running = await listen()
    reader, writer = await raw(running, "/echo/say", {"name": "hang", "count": 1, "stream": True})
    async with asyncio.timeout(WAIT_S):
        await reader.readuntil(b"\n\n")
    writer.close()
    await until(echo.cancelled.is_set)
    await until(lambda: running.gateway.admission.active == 0)
    assert [exchange.gone for exchange in running.watched.finished] == [True]


async def test_a_client_that_leaves_before_the_first_message_cancels_its_stream(listen: Start, echo: Echo) -> None:
    running = await listen()
    _, writer = await raw(running, "/echo/say", {"name": "hang", "stream": True})
    await until(echo.started.is_set)
    writer.close()
    await until(echo.cancelled.is_set)
    await until(lambda: running.gateway.admission.active == 0)
    assert [exchange.gone for exchange in running.watched.finished] == [True]


async def test_a_connection_serves_request_after_request(listen: Start) -> None:
    running = await listen()
    answers = [(await running.http.post("/echo/say", json={"name": str(number)})).json() for number in range(3)]
    streams = [(await running.http.post("/echo/say", json={"count": 2, "stream": True})).text for _ in range(2)]
    assert answers == [{"name": str(number)} for number in range(3)]
    assert [stream.count("data: ") for stream in streams] == [3, 3]


async def test_silence_in_a_stream_is_filled_with_comments(listen: Start, echo: Echo) -> None:
    running = await listen(heartbeat_s=0.05)
    body = {"name": "hang", "count": 1, "stream": True}
    lines: list[str] = []
    async with asyncio.timeout(WAIT_S), running.http.stream("POST", "/echo/say", json=body) as response:
        async for line in response.aiter_lines():
            lines += [line] if line else []
            if lines.count(":") == 3:
                echo.go_on.set()
    events = [line for line in lines if line != ":"]
    assert events == ['data: {"name":"hang","sequence":0}', "data: [DONE]"]
    assert lines.index(":") == 1


async def test_a_stream_without_a_first_message_begins_with_the_first_heartbeat(listen: Start, echo: Echo) -> None:
    running = await listen(heartbeat_s=0.05)
    body = {"name": "hang", "code": 5, "stream": True}
    async with asyncio.timeout(WAIT_S), running.http.stream("POST", "/echo/say", json=body) as response:
        assert response.status_code == 200
        echo.go_on.set()
        lines = [line async for line in response.aiter_lines() if line and line != ":"]
    assert [json.loads(line.removeprefix("data: "))["error"]["code"] for line in lines] == ["NOT_FOUND"]


async def test_a_slow_client_slows_the_service_down(listen: Start, echo: Echo) -> None:
    running = await listen()
    count = 5_000
    reader, writer = await raw(running, "/echo/say", {"name": "n" * 20_000, "count": count, "stream": True})
    seen: list[int] = []

    def at_rest() -> bool:
        seen.append(echo.sent)
        return len(seen) > 40 and seen[-40] == seen[-1] > 0

    # nothing is read: the service has to come to rest long before its end
    await until(at_rest)
    before = echo.sent
    assert 0 < before < count / 2
    async with asyncio.timeout(WAIT_S):
        while echo.sent <= before:
            await reader.read(2**16)
    writer.close()


async def test_a_pipelined_request_waits_for_its_turn(listen: Start) -> None:
    running = await listen()
    assert running.server is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    one = b"GET /echo/find?name=%d HTTP/1.1\r\nhost: localhost\r\n\r\n"
    writer.write(one % 1 + one % 2)
    async with asyncio.timeout(WAIT_S):
        await reader.readuntil(b'{"name":"1"}')
        await reader.readuntil(b'{"name":"2"}')
    writer.close()


async def test_a_body_that_does_not_arrive_is_given_up(listen: Start) -> None:
    running = await listen(body_timeout_s=0.1)
    assert running.server is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    writer.write(b'POST /echo/say HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"name"')
    async with asyncio.timeout(WAIT_S):
        assert (await reader.readline()).split()[1] == b"408"
    writer.close()


async def test_draining_lets_requests_finish_and_refuses_new_connections(listen: Start, echo: Echo) -> None:
    running = await listen(drain_delay_s=0.0, drain_grace_s=5.0)
    assert running.server is not None
    waiting = asyncio.create_task(running.http.post("/echo/say", json={"name": "hang"}))
    await until(echo.started.is_set)
    running.server.drain()
    await until(lambda: running.server is not None and running.server.ending)
    async with httpx.AsyncClient(base_url=running.http.base_url) as other:
        with pytest.raises(httpx.ConnectError):
            await other.get("/healthz")
    echo.go_on.set()
    response = await waiting
    assert (response.status_code, response.json(), response.headers["connection"]) == (200, {"name": "hang"}, "close")


async def test_what_outlasts_the_grace_is_told_that_the_gateway_stops(listen: Start, echo: Echo) -> None:
    running = await listen(drain_grace_s=0.2)
    assert running.server is not None
    body = {"name": "hang", "count": 1}
    unary = asyncio.create_task(running.http.post("/echo/say", json=body))
    stream = asyncio.create_task(running.http.post("/echo/say", json=body | {"stream": True}))
    await until(lambda: len(echo.calls) == 2 and echo.sent > 0)
    running.server.drain()
    async with asyncio.timeout(WAIT_S):
        cut, told = await asyncio.gather(unary, stream)
    assert (cut.status_code, cut.json()["error"]["code"]) == (503, "UNAVAILABLE")
    last = told.text.strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "the gateway is shutting down"
    await until(echo.cancelled.is_set)


async def answer_to(running: Running, data: bytes) -> tuple[int, dict[str, Any]]:
    """Return status and error of what is answered to bytes on a connection of their own, which has to be closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    writer.write(data)
    async with asyncio.timeout(WAIT_S):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b"content-type: application/json" in head
    return int(head.split()[1]), json.loads(body)["error"]


async def test_what_is_no_http_is_told_in_the_form_of_all_errors(listen: Start) -> None:
    status, error = await answer_to(await listen(), b"HELO there\r\n\r\n")
    assert (status, error["code"], error["reason"]) == (400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")


async def test_a_head_without_end_is_refused(listen: Start) -> None:
    endless = b"GET / HTTP/1.1\r\n" + b"x-filler: %s\r\n" % (b"x" * 1000) * 100
    status, error = await answer_to(await listen(), endless)
    assert (status, error["reason"]) == (431, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_a_complete_head_is_held_to_the_limit_however_it_comes(listen: Start, pieces: int) -> None:
    running = await listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    head = b"GET /echo/find HTTP/1.1\r\nhost: localhost\r\nx: %b\r\n\r\n" % (b"x" * 70_000)
    size = len(head) // pieces + 1
    async with asyncio.timeout(WAIT_S):
        for begin in range(0, len(head), size):
            writer.write(head[begin : begin + size])
            await writer.drain()
            await asyncio.sleep(0)
        told = await reader.read()
    writer.close()
    assert told.startswith(b"HTTP/1.1 431 ")
    assert running.watched.finished == []


@pytest.mark.parametrize("size", [60_000, 20])
async def test_a_head_within_the_limit_is_read(listen: Start, size: int) -> None:
    response = await (await listen()).http.get("/echo/find?name=n", headers={"x": "x" * size})
    assert response.json() == {"name": "n"}


async def test_a_header_in_several_lines_is_one_list(listen: Start) -> None:
    running = await listen()
    accept = [("accept", "text/html"), ("accept", "application/jsonl")]
    response = await running.http.get("/echo/watch?count=1", headers=accept)
    assert response.headers["content-type"] == "application/jsonl"


async def test_what_proxies_add_in_lines_of_their_own_is_one_list(listen: Start) -> None:
    running = await listen(trusted_proxies=("127.0.0.1", "10.0.0.0/8"))
    forwarded = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "10.0.0.2")]
    await running.http.get("/echo/find", headers=forwarded)
    client = running.watched.finished[0].client
    assert client is not None
    assert client[0] == "203.0.113.7"


async def test_a_head_that_takes_too_long_is_refused(listen: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http1.connection.HEAD_S", 0.05)
    running = await listen()
    assert (await answer_to(running, b"GET / HTTP/1.1\r\nhost:"))[0] == 408
    assert (await answer_to(running, b""))[0] == 408


async def test_a_head_in_pieces_is_read(listen: Start) -> None:
    running = await listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    for piece in (b"GET /echo/fi", b"nd?name=n HTTP/1.1\r\nho", b"st: localhost\r\n", b"\r\n"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(WAIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"}")
    writer.close()
    assert (head.partition(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b'{"name":"n"}')


async def test_the_rest_of_a_body_that_is_too_large_is_not_read(listen: Start) -> None:
    running = await listen(max_body_bytes=10)
    status, error = await answer_to(
        running, b"POST /echo/say HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{"
    )
    assert (status, error["reason"]) == (413, "REQUEST_TOO_LARGE")


async def test_clients_behind_a_trusted_proxy_are_known_by_their_own_address(listen: Start) -> None:
    forwarded = {"x-forwarded-for": "203.0.113.7"}
    trusting = await listen(trusted_proxies=("127.0.0.1",))
    await trusting.http.get("/echo/find", headers=forwarded)
    other = await listen()
    await other.http.get("/echo/find", headers=forwarded)
    clients = [running.watched.finished[0].client for running in (trusting, other)]
    assert [client and client[0] for client in clients] == ["203.0.113.7", "127.0.0.1"]


@pytest.mark.parametrize(
    "target",
    [b"/\xff", b"/%ff", b"/%00", b"//", b"/%2e%2e/etc", b"*", b"http://other/echo/find", b"/echo/find?%", b"/" * 5000],
)
async def test_strange_targets_are_answered(listen: Start, target: bytes, caplog: pytest.LogCaptureFixture) -> None:
    running = await listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    writer.write(b"GET %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % target)
    async with asyncio.timeout(WAIT_S):
        status = int((await reader.read()).split()[1])
    writer.close()
    assert status in (200, 400, 404)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_https_is_served_with_the_configured_certificate(listen: Start, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    running = await listen(certificate=certificate, key=key)
    trust = ssl.create_default_context(cafile=str(certificate))
    port = running.http.base_url.port
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=trust) as http:
        answer = await http.get("/echo/find?name=n")
    assert answer.json() == {"name": "n"}


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key; return their files."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted)
    key.write_bytes(private.private_bytes(*pem))
    return certificate, key


async def test_a_body_that_breaks_off_into_nonsense_is_refused(listen: Start) -> None:
    broken = b"POST /echo/say HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n"
    status, error = await answer_to(await listen(), broken)
    assert (status, error["reason"]) == (400, "MALFORMED_REQUEST")


async def test_empty_lines_before_a_head_do_not_stop_its_clock(listen: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http1.connection.HEAD_S", 0.05)
    running = await listen()
    assert (await answer_to(running, b"\r\n"))[0] == 408
    reader, writer = await asyncio.open_connection("127.0.0.1", running.http.base_url.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    async with asyncio.timeout(WAIT_S):
        await reader.readuntil(b'{"status":"ok"}')
        writer.write(b"\r\n")
        assert (await reader.readline()).split()[1] == b"408"
    writer.close()


async def test_a_client_that_leaves_cancels_its_call_though_another_one_waits(listen: Start, echo: Echo) -> None:
    running = await listen(heartbeat_s=0.05)
    _, writer = await raw(running, "/echo/say", {"name": "hang", "stream": True})
    writer.write(b"GET /echo/find?name=n HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await until(echo.started.is_set)
    writer.transport.abort()
    await until(echo.cancelled.is_set)
    assert [call.request.name for call in echo.calls] == ["hang"]
