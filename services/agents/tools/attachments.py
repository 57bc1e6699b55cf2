"""The bytes of attachments that code is to find as files."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from llamastack.common.v1.content_pb2 import Attachment
from mesh.errors import InvalidField, WrongState
from services.agents.tools.tool import ToolFailed
from services.agents.tools.web import Request, Web


class AttachmentReader:
    """Reads data: URLs, and fetches those of http and https from addresses that are allowed."""

    def __init__(self, guarded: Web) -> None:
        """``guarded`` is the web for addresses that callers name."""
        self._guarded = guarded

    async def read(self, attachment: Attachment) -> bytes:
        """Return the bytes.

        Raises:
            InvalidField: the URL is of another kind, can't be read or is not allowed.
            WrongState: its host answered with an error.
            BackendUnavailable: its host does not answer.
        """
        uri = attachment.url.uri
        scheme = uri.partition(":")[0].lower()
        if scheme == "data":
            return _data(uri)
        if scheme not in {"http", "https"}:
            raise InvalidField("attachment.url", "a URL of data:, http: or https: is needed")
        try:
            return (await self._guarded.send(Request("GET", uri), idempotent=True)).data
        except ToolFailed as error:
            raise WrongState(f"an attachment could not be fetched: {error}") from error


def _data(uri: str) -> bytes:
    """Return what a data: URL of RFC 2397 holds."""
    head, comma, body = uri[5:].partition(",")
    if not comma:
        raise InvalidField("attachment.url", "a data: URL has a comma before its data")
    data = unquote_to_bytes(body)
    if not head.lower().endswith(";base64"):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise InvalidField("attachment.url", "the data of the data: URL is not base64") from error
