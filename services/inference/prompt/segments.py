"""A prompt in the making: plain text and special tokens, kept apart so that no text can turn into a special token."""

from __future__ import annotations

from dataclasses import dataclass, field

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart
from mesh.errors import InvalidField
from services.inference.prompt import tokens
from services.inference.prompt.vocabulary import Vocabulary


@dataclass(slots=True)
class Segments:
    """Pieces of a prompt in order, each with whether it is a special token; adjacent plain texts are one piece."""

    pieces: list[tuple[str, bool]] = field(default_factory=list)
    images: list[Attachment] = field(default_factory=list)

    def special(self, token: str) -> None:
        """Append a special token."""
        self.pieces.append((token, True))

    def plain(self, text: str) -> None:
        """Append a text that is never read as special tokens, whatever it spells."""
        if not text:
            return
        if self.pieces and not self.pieces[-1][1]:
            text = self.pieces.pop()[0] + text
        self.pieces.append((text, False))

    def image(self, image: Attachment) -> None:
        """Append the placeholder of an image."""
        self.special(tokens.IMAGE)
        self.images.append(image)

    def text(self) -> str:
        """Return the pieces as one text."""
        return "".join(text for text, _ in self.pieces)

    def token_ids(self, vocabulary: Vocabulary) -> tuple[int, ...]:
        """Return the pieces as token ids."""
        ids: list[int] = []
        for text, is_special in self.pieces:
            if is_special:
                ids.append(vocabulary.special_id(text))
            else:
                ids += vocabulary.encode(text)
        return tuple(ids)


def parts_of(content: Content) -> list[ContentPart]:
    """Return a content's pieces in reading order; nothing for an unset content."""
    match content.WhichOneof("content"):
        case "text":
            return [ContentPart(text=content.text)]
        case "attachment":
            return [ContentPart(attachment=content.attachment)]
        case _:
            return list(content.parts.parts)


def is_image(attachment: Attachment) -> bool:
    """Tell whether a file is an image by its media type."""
    return attachment.mime_type.lower().startswith("image/")


def add_content(segments: Segments, content: Content, path: str, *, vision: bool) -> None:
    """Append what a message holds.

    Args:
        segments: where to append.
        content: the texts and images.
        path: where the content is in the request.
        vision: whether the model reads images.

    Raises:
        InvalidField: the content holds a file other than an image, or an image for a model that reads texts only.
    """
    for part in parts_of(content):
        if part.WhichOneof("part") != "attachment":
            segments.plain(part.text)
        elif not is_image(part.attachment):
            raise InvalidField(path, f"must hold texts and images only, not a file of type {part.attachment.mime_type}")
        elif not vision:
            raise InvalidField(path, "must be text only, because this model does not read images")
        else:
            segments.image(part.attachment)


def add_tool_result(segments: Segments, content: Content, *, vision: bool) -> None:
    """Append what a tool gave back; a file that the model can't read is named, because the caller did not choose it."""
    for part in parts_of(content):
        if part.WhichOneof("part") != "attachment":
            segments.plain(part.text)
        elif vision and is_image(part.attachment):
            segments.image(part.attachment)
        else:
            segments.plain(f"[file of type {part.attachment.mime_type}]")
