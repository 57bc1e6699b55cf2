"""A third party that judges conversations: an HTTP server that answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Party:
    """An HTTP server that answers what it is told to, and keeps what it was asked."""

    port: int = 0
    status: int = 200
    answer: bytes = b'{"is_violation": false}'
    asked: list[dict[str, Any]] = field(default_factory=list)

    def url(self, host: str = "localhost") -> str:
        """Return the address of its judge."""
        return f"http://{host}:{self.port}/judge?strict=1"


@contextmanager
def party() -> Iterator[Party]:
    """Serve for the time of the block."""
    state = Party()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: Any) -> None:
            url = urlsplit(self.path)
            asked = {"path": url.path, "query": parse_qs(url.query), "key": self.headers["x-key"], "body": body}
            state.asked.append({"method": self.command, "host": self.headers["host"], **asked})
            self.send_response(state.status)
            self.send_header("location", "http://169.254.169.254/")
            self.send_header("content-length", str(len(state.answer)))
            self.end_headers()
            self.wfile.write(state.answer)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
