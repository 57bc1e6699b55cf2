"""A request of a gateway in another network, over HTTP/1.0, whose answers end with the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.integration.network.cable import Host

_LEFT_S = 5.0
"""Seconds beyond the deadline after which a silent gateway is given up."""


async def ask(host: Host, port: int, body: Any, seconds: float, begun: Callable[[], None]) -> str:
    """Ask for a chat completion that may take some seconds; return "ok" or the reason of the error.

    ``begun`` is told of each piece of the answer. An answer that breaks off without a word is "cut".
    """
    try:
        sock = await asyncio.to_thread(host.connect, port)
    except OSError:
        return "no gateway"
    reader, writer = await asyncio.open_connection(sock=sock)
    data = json.dumps(body).encode()
    head = f"POST /inference/chat_completion HTTP/1.0\r\nhost: localhost\r\nx-request-timeout: {seconds}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
    answer = b""
    try:
        async with asyncio.timeout(seconds + _LEFT_S):
            while piece := await reader.read(65536):
                answer += piece
                if b"data: " in answer:
                    begun()
    except TimeoutError:
        return "silent"
    finally:
        writer.close()
    return _ended(answer.decode(), streams=bool(body.get("stream")))


def _ended(answer: str, *, streams: bool) -> str:
    head, _, body = answer.partition("\r\n\r\n")
    last = body.rstrip().rpartition("data: ")[2] if streams and " 200 " in head else body
    if not last:
        return "cut"
    told = json.loads(last)
    if "error" in told:
        reasons = [detail["reason"] for detail in told["error"]["details"] if "reason" in detail]
        return str(reasons[0]).removeprefix("ERROR_REASON_") if reasons else "untyped"
    if streams and told["event"]["event_type"] != "complete":
        return "cut"
    return "ok"
