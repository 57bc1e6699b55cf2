"""An identity provider on loopback, that can change its keys, say something else and go away."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

OPENID = "/.well-known/openid-configuration"
KEYS = "/keys"


@dataclass
class Provider:
    """A provider with a document for each path; a number is the status of an answer without one."""

    issuer: str
    documents: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    signing: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def rotate(self, *names: str) -> None:
        """Publish keys of these names alone."""
        self.signing = {name: self.signing.get(name) or ec.generate_private_key(ec.SECP256R1()) for name in names}
        public = jwt.algorithms.ECAlgorithm.to_jwk
        keys = [public(key.public_key(), as_dict=True) | {"kid": name} for name, key in self.signing.items()]
        self.documents[KEYS] = {"keys": keys}

    def token(self, key: str, **claims: Any) -> str:
        """Return a token that the provider signed."""
        return jwt.encode({"iss": self.issuer, **claims}, self.signing[key], "ES256", {"kid": key})


@contextmanager
def provider(port: int = 0, path: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """Run a provider with one key, ``k1``, whose issuer has a path, for the time of the block."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            found = made.documents.get(self.path, 404)
            body = b"" if isinstance(found, int) else found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(found if isinstance(found, int) else 200)
            if found == 302:
                self.send_header("location", made.documents["location"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Answer) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        base = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
        made = Provider(base + path)
        made.documents[path.rstrip("/") + OPENID] = {"issuer": made.issuer, "jwks_uri": base + KEYS}
        made.rotate("k1")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
