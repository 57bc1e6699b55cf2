"""Where the keys of an identity provider are: in a file, at a URL, or where its issuer says that they are.

The issuer is asked by OpenID Connect Discovery 1.0, section 4, and by RFC 8414, section 3, where it has no document of
the first. Documents are read over https, or from this machine. Knows nothing about tokens.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from mesh.loopback import is_loopback

OPENID: Final = "/.well-known/openid-configuration"
OAUTH: Final = "/.well-known/oauth-authorization-server"
_READ_S: Final = 5.0
_MAX_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 16

Fetch = Callable[[], Coroutine[Any, Any, bytes]]
"""Gets the key set as JSON; raises OSError or ValueError with the reason if it can't."""


def fetch_from(source: str) -> Fetch:
    """Return what gets a key set from an http(s) URL or from a file."""

    def read() -> bytes:
        if not source.startswith(("https://", "http://")):
            return Path(source.removeprefix("file://")).read_bytes()
        return _get(source)

    return lambda: asyncio.to_thread(read)


def discovered(issuer: str) -> Fetch:
    """Return what asks an issuer where its key set is, and gets it from there, each time anew."""
    return lambda: asyncio.to_thread(lambda: _get(_jwks_uri(issuer)))


def check_issuer(issuer: str) -> None:
    """Refuse an issuer that can't be asked for its keys.

    Raises:
        ValueError: its text says what was expected.
    """
    parts = urlsplit(issuer)
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None or not _private(issuer):
        raise ValueError("an https URL without query and fragment (or http on this machine)")


def _jwks_uri(issuer: str) -> str:
    """Return where the issuer's keys are."""
    problem: OSError = FileNotFoundError(f"{issuer} has no document at {OPENID}")
    for place in _places(urlsplit(issuer)):
        try:
            return _read_metadata(_get(place), issuer, place)
        except FileNotFoundError as error:
            problem = error
    raise problem


def _places(issuer: SplitResult) -> tuple[str, str]:
    """Return where the issuer's document may be: after its path, and before it."""
    path = issuer.path.rstrip("/")
    return (
        urlunsplit((issuer.scheme, issuer.netloc, path + OPENID, "", "")),
        urlunsplit((issuer.scheme, issuer.netloc, OAUTH + path, "", "")),
    )


def _read_metadata(raw: bytes, issuer: str, place: str) -> str:
    try:
        found: Any = json.loads(raw)
    except ValueError as error:
        raise ValueError(f"{place} is not JSON") from error
    if not isinstance(found, dict):
        raise OSError(f"{place} is not a JSON object")
    # else whoever answers here could speak for another issuer
    if found.get("issuer") != issuer:
        raise ValueError(f"{place} is of the issuer {str(found.get('issuer'))[:200]!r}, not of {issuer!r}")
    where = found.get("jwks_uri")
    if not isinstance(where, str) or not _private(where):
        raise ValueError(f"{place} names no jwks_uri with https")
    return where


def _private(url: str) -> bool:
    """Return whether nobody on the way can change what is read from a URL."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _local(parts))


def _local(parts: SplitResult) -> bool:
    return is_loopback(f"{parts.hostname}:0")


def _get(url: str) -> bytes:
    """Return what is at a URL.

    Raises:
        FileNotFoundError: there is nothing.
        OSError: it can't be read, or is too long.
    """
    shown = urlunsplit(urlsplit(url)._replace(query="", fragment=""))
    end = time.monotonic() + _READ_S
    try:
        with _opener(url).open(url, timeout=_READ_S) as response:
            return _read(response, end)
    except HTTPError as error:
        error.close()
        if error.code == 404:
            raise FileNotFoundError(f"there is nothing at {shown}") from error
        raise OSError(f"{shown} answers with the status {error.code}") from error
    except URLError as error:
        raise OSError(f"{shown} can't be reached: {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise OSError(f"{shown} can't be read: {str(error) or type(error).__name__}") from error


def _read(response: Any, end: float) -> bytes:
    """Return the body; the time of a read alone would let one byte after the other take for ever."""
    body = b""
    while part := response.read1(_CHUNK):
        body += part
        if len(body) > _MAX_BYTES:
            raise OSError(f"it has more than {_MAX_BYTES} bytes")
        if time.monotonic() > end:
            raise TimeoutError("timed out")
    return body


def _opener(url: str) -> OpenerDirector:
    # no proxy is this machine
    direct = [ProxyHandler({})] if _local(urlsplit(url)) else []
    return build_opener(_Redirections(), *direct)


class _Redirections(HTTPRedirectHandler):
    """Follows redirections, but none that leaves https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if _private(req.full_url) and not _private(newurl):
            fp.close()
            raise URLError("it leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
