"""Getting a document's bytes: what was sent, or what a URL leads to.

A URL of http or https is fetched only from public addresses: the host's name is resolved once, every address is
checked, the connection goes to the address that was checked, and each redirection is checked again. A file: URL is read
only within the configured folders, wherever links lead.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import httpx

from llamastack.memory.v1.document_pb2 import DocumentContent
from mesh.addresses import AddressGuard, AddressRefused
from mesh.errors import BackendUnavailable, InvalidField
from services.memory import media

MOST_BYTES: Final = 64 * 1024 * 1024
_REDIRECTIONS: Final = 5
_URL: Final = "content.url.uri"
_TOO_LARGE: Final = "at most 64 MiB are taken"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document's bytes; the type that the source told, a name whose ending may tell it, and the URL."""

    data: bytes
    media_type: str = ""
    name: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Where documents may come from.

    ``roots`` are folders that file: URLs may lie in, ``guard`` says which hosts may be fetched from, ``timeout_s`` is
    seconds for one document, ``trust`` checks the certificates of https: hosts, by default by the usual authorities.
    """

    roots: tuple[Path, ...] = ()
    guard: AddressGuard = field(default_factory=AddressGuard)
    timeout_s: float = 60.0
    trust: SSLContext | None = None

    async def get(self, content: DocumentContent, told: str) -> Fetched:
        """Return the bytes of a document whose media type was told to be this (empty for unknown).

        Raises:
            InvalidField: the URL is not allowed or leads nowhere, or there are too many bytes.
            BackendUnavailable: the host does not answer.
        """
        match content.WhichOneof("content"):
            case "encoded":
                return Fetched(decoded(content.encoded, told))
            case "texts":
                return Fetched("\n".join(content.texts.values).encode())
            case "data":
                return Fetched(content.data)
            case _:
                return await self._url(content.url.uri)

    async def _url(self, uri: str) -> Fetched:
        scheme = uri.partition(":")[0].lower()
        if scheme == "data":
            return _data(uri)
        if scheme == "file":
            return await asyncio.to_thread(self._file, uri)
        if scheme not in {"http", "https"}:
            raise InvalidField(_URL, "a URL of data:, http:, https: or file: is needed")
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._fetch(uri)
        except TimeoutError as error:
            raise BackendUnavailable(f"the document could not be fetched within {self.timeout_s:g} s") from error
        except httpx.InvalidURL as error:
            raise InvalidField(_URL, "a valid URL is needed") from error
        except httpx.HTTPError as error:
            raise BackendUnavailable("the document's host can't be reached") from error

    def _file(self, uri: str) -> Fetched:
        parts = urlsplit(uri)
        if parts.netloc not in {"", "localhost"}:
            raise InvalidField(_URL, "a file: URL names no host")
        refused = InvalidField(_URL, "a file within the configured folders is needed")
        try:
            path = Path(unquote(parts.path)).resolve(strict=True)
            if not any(path.is_relative_to(root.resolve()) for root in self.roots) or not path.is_file():
                raise refused
            if path.stat().st_size > MOST_BYTES:
                raise InvalidField(_URL, _TOO_LARGE)
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            # whether a file is there is nobody's business outside the folders
            raise refused from error
        if len(data) > MOST_BYTES:
            raise InvalidField(_URL, _TOO_LARGE)
        return Fetched(data, name=path.name, source=uri)

    async def _fetch(self, uri: str) -> Fetched:
        url = httpx.URL(uri)
        trust = True if self.trust is None else self.trust
        async with httpx.AsyncClient(trust_env=False, timeout=self.timeout_s, verify=trust) as client:
            for _ in range(_REDIRECTIONS + 1):
                address = await self._allowed(url)
                request = client.build_request(
                    "GET",
                    url.copy_with(host=address, userinfo=b""),
                    headers={"host": url.netloc.decode("ascii"), "accept-encoding": "identity"},
                    # the certificate has to be the named host's
                    extensions={"sni_hostname": url.host},
                )
                response = await client.send(request, stream=True)
                try:
                    if response.has_redirect_location:
                        url = url.join(response.headers["location"])
                        continue
                    if response.status_code != 200:
                        raise InvalidField(_URL, f"a document is needed; the host answered {response.status_code}")
                    data = await _body(response)
                finally:
                    await response.aclose()
                return Fetched(data, response.headers.get("content-type", ""), url.path, uri)
        raise InvalidField(_URL, f"at most {_REDIRECTIONS} redirections are followed")

    async def _allowed(self, url: httpx.URL) -> str:
        """Return the address to connect to.

        Raises:
            InvalidField: the host has one that is not public.
        """
        if url.scheme not in {"http", "https"} or not url.host:
            raise InvalidField(_URL, "a URL of http: or https: is needed")
        try:
            return await self.guard.address_of(url.host, url.port or (443 if url.scheme == "https" else 80))
        except AddressRefused as error:
            raise InvalidField(_URL, error.expected) from error


def decoded(text: str, told: str) -> bytes:
    """Return the bytes that a string of the RFC's ``content`` stands for: base64, or else the text itself.

    It is text when it is not canonical base64 of at least 4 characters, or when the type that was told is text and the
    bytes are not UTF-8.
    """
    written = text.encode()
    try:
        data = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return written
    if len(written) < 4 or base64.b64encode(data) != written:
        return written
    if media.is_textual(told):
        try:
            data.decode()
        except UnicodeDecodeError:
            return written
    return data


def _data(uri: str) -> Fetched:
    """Return what a data: URL of RFC 2397 holds."""
    head, comma, body = uri[5:].partition(",")
    if not comma:
        raise InvalidField(_URL, "a data: URL has a comma before its data")
    told, base64_sign = (head[:-7], True) if head.lower().endswith(";base64") else (head, False)
    data = unquote_to_bytes(body)
    if base64_sign:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise InvalidField(_URL, "the data of the data: URL is not base64") from error
    return Fetched(data, told or "text/plain")


async def _body(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise InvalidField(_URL, "the host sent a compressed document though none was asked for")
    data = bytearray()
    async for part in response.aiter_raw():
        data += part
        if len(data) > MOST_BYTES:
            raise InvalidField(_URL, _TOO_LARGE)
    return bytes(data)
