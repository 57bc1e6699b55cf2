"""Cross-origin requests, as https://fetch.spec.whatwg.org/#http-cors-protocol defines the headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Headers

ANY = "*"
_EXPOSED = (b"access-control-expose-headers", b"x-request-id, x-next-page-token, retry-after")
_MAX_AGE = (b"access-control-max-age", b"3600")
_VARY = (b"vary", b"origin")
_DEFAULT_HEADERS = b"authorization, content-type, x-api-key, x-request-id, x-request-timeout, last-event-id"


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages may call. ``origins`` are as in ``https://app.example``; ``*`` is every page, without credentials."""

    origins: frozenset[str]
    credentials: bool = False

    def headers(self, request: Mapping[bytes, bytes]) -> Headers:
        """Return the headers that any response to this request gets; none for a caller that is no allowed page."""
        origin = self._allowed(request)
        if origin is None:
            return []
        headers: Headers = [(b"access-control-allow-origin", origin), _EXPOSED]
        if origin != b"*":
            headers.append(_VARY)
            if self.credentials:
                headers.append((b"access-control-allow-credentials", b"true"))
        return headers

    def preflight(self, request: Mapping[bytes, bytes], allow: str) -> Headers:
        """Return what a preflight adds to ``headers``; ``allow`` lists the verbs of the path."""
        if self._allowed(request) is None:
            return []
        wanted = request.get(b"access-control-request-headers", _DEFAULT_HEADERS)
        return [
            (b"access-control-allow-methods", allow.encode()),
            (b"access-control-allow-headers", wanted),
            _MAX_AGE,
        ]

    def _allowed(self, request: Mapping[bytes, bytes]) -> bytes | None:
        origin = request.get(b"origin")
        if origin is None:
            return None
        if origin.decode("latin-1") in self.origins:
            return origin
        return b"*" if ANY in self.origins else None


def is_preflight(verb: str, request: Mapping[bytes, bytes]) -> bool:
    """Return whether a request only asks what a page may do."""
    return verb == "OPTIONS" and b"origin" in request and b"access-control-request-method" in request
