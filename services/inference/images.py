"""The bytes of an image attachment."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from llamastack.common.v1.content_pb2 import Attachment
from mesh.errors import InvalidField


def image_bytes(image: Attachment, path: str) -> bytes:
    """Return the encoded image of a ``data:`` URL (RFC 2397).

    Raises:
        InvalidField: the URL is of another kind or can't be read; whoever holds the file has to send its bytes,
            because an engine fetches nothing.
    """
    head, comma, data = image.url.uri.partition(",")
    if not comma or not head.startswith("data:"):
        raise InvalidField(path, "images as data: URLs")
    if not head.endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise InvalidField(path, "an image in valid base64") from error
