"""A search engine on loopback that answers in the form of Brave's API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "a-key-of-the-search-engine"


@dataclass
class SearchSite:
    """Where it is, what it tells by a word of the query, and what it was asked; no word fits: ``otherwise``."""

    url: str
    tells: dict[str, str]
    otherwise: str
    queries: list[str] = field(default_factory=list)

    def found(self, query: str) -> dict[str, object]:
        """Return the answer to a query."""
        self.queries.append(query)
        told = next((text for word, text in self.tells.items() if word in query), self.otherwise)
        page = {"type": "search_result", "title": "A page", "url": "https://page.example/1", "description": told}
        return {"mixed": {"main": [{"type": "web", "index": 0, "all": False}]}, "web": {"results": [page]}}


@contextmanager
def search_site(tells: dict[str, str], otherwise: str) -> Iterator[SearchSite]:
    """Run one; a request without the key is refused."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("X-Subscription-Token") == KEY
            query = parse_qs(urlsplit(self.path).query).get("q", [""])[0]
            body = json.dumps(site.found(query) if allowed else {"type": "ErrorResponse"}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = SearchSite(f"http://127.0.0.1:{server.server_address[1]}", tells, otherwise)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
