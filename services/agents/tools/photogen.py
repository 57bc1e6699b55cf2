"""photogen: images from a description by an OpenAI-compatible images API."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from llamastack.common.v1.content_pb2 import Attachment, Url
from mesh.errors import WrongState
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Surroundings, ToolFailed, parameter
from services.agents.tools.web import Reply, Request, Web

_SIGNATURES: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"))


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Where images are made and how; ``model`` and ``form`` (``response_format``) are left out if empty."""

    url: str
    key: str | None
    model: str
    size: str
    form: str
    timeout_s: float


class Photogen:
    """Makes images; ``guarded`` fetches those that the API answers with an address for."""

    def __init__(self, web: Web, guarded: Web, settings: ImageSettings) -> None:
        """Keep where it is."""
        self._web = web
        self._guarded = guarded
        self._settings = settings
        self.description = Description(
            name="photogen",
            kind=Kind.BUILTIN,
            text="Make an image from a description.",
            parameters={"query": parameter("str", "What the image shows.")},
            timeout_s=settings.timeout_s,
        )

    @property
    def unavailable_reason(self) -> str | None:
        """Which setting is missing."""
        return None if self._settings.url else "the setting PHOTOGEN_URL is needed"

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Return an image as an attachment.

        Raises:
            WrongState: no images API is configured.
        """
        settings = self._settings
        if not settings.url:
            raise WrongState(f"photogen is not available: {self.unavailable_reason}")
        body: dict[str, Any] = {"prompt": str(arguments["query"]), "n": 1, "size": settings.size}
        body |= {"model": settings.model} if settings.model else {}
        body |= {"response_format": settings.form} if settings.form else {}
        request = Request(
            "POST",
            f"{settings.url}/images/generations",
            headers={"Authorization": f"Bearer {settings.key}"} if settings.key else {},
            body=body,
            secrets=(settings.key or "",),
        )
        image = await self._image(await self._web.send(request, idempotent=False))
        kind = next((kind for signature, kind in _SIGNATURES if image.startswith(signature)), None)
        if kind is None:
            raise ToolFailed("the images API gave something else than an image")
        data = base64.b64encode(image).decode("ascii")
        return Answer((Attachment(url=Url(uri=f"data:{kind};base64,{data}"), mime_type=kind),))

    async def _image(self, reply: Reply) -> bytes:
        found = reply.json()
        data = found.get("data") if isinstance(found, dict) else None
        first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
        if isinstance(encoded := first.get("b64_json"), str):
            try:
                return base64.b64decode(encoded, validate=True)
            except binascii.Error as error:
                raise ToolFailed("the images API's image is not base64") from error
        if isinstance(url := first.get("url"), str):
            return (await self._guarded.send(Request("GET", url), idempotent=True)).data
        raise ToolFailed("the images API's answer has no image")
