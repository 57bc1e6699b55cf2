"""The messages that a model gets: instructions, the session so far, the turn. Pure.

What a user attached is read according to :class:`Reading`: code gets it as a file, the model as an image, and all else
is left to memory. Source of the order: the RFC's agentic loop.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from mimetypes import guess_extension
from typing import Final

from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.agents.v1.turn_pb2 import AgenticSystemTurnCreateRequest, Step, TurnAttachment, TurnInputMessage
from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.tool_pb2 import ToolResponse
from services.agents.naming import pronounceable
from services.agents.toolbox import CODE
from services.agents.tooling import FILES_FOLDER, SessionFile
from services.agents.turn import Detail

DOCUMENTS: Final = ("application/pdf", "application/json", "application/xhtml+xml")
"""Media types besides text/* that memory reads."""

# enough that no two files of a session meet by chance
_NAME_BYTES: Final = 6


@dataclass(slots=True)
class Reading:
    """How attachments are read; ``files`` and ``documents`` gather what was found, each file once, oldest first.

    ``runs_code``: code finds them as files. ``sees``: the model reads images.
    """

    runs_code: bool
    sees: bool
    files: dict[str, SessionFile] = field(default_factory=dict)
    documents: dict[str, Attachment] = field(default_factory=dict)


def instructions(config: AgenticSystemInstanceConfig) -> list[Message]:
    """Return what leads every prompt: the messages of a debugging prefix, or the instructions if there are any."""
    if config.debug_prefix_messages.messages:
        return list(config.debug_prefix_messages.messages)
    if not config.instructions:
        return []
    return [Message(system=SystemMessage(content=Content(text=config.instructions)))]


def history(past: Detail, reading: Reading) -> list[Message]:
    """Return the messages of a turn that is completed; what memory found for it is left out."""
    refused = _refusal(past)
    of_steps = (message for step in past.steps for message in _of_step(step, refused, reading))
    return [*opening(past.turn.request, reading), *of_steps]


def opening(request: AgenticSystemTurnCreateRequest, reading: Reading) -> list[Message]:
    """Return the messages that a turn begins with, with its attachments read as those of its last user message."""
    messages: list[Message] = []
    for message in with_attachments(request):
        if message.HasField("tool_response"):
            messages.append(Message(tool_response=_told(message.tool_response, reading)))
            continue
        kept: list[ContentPart] = []
        for part in parts_of(message.user.content):
            if part.WhichOneof("part") != "attachment":
                kept.append(part)
            elif reading.runs_code:
                messages.append(_file_message(part.attachment, reading))
            elif is_image(part.attachment):
                kept.append(part)
            else:
                reading.documents[digest_of(part.attachment)] = part.attachment
        messages.append(Message(user=UserMessage(content=content_of(kept))))
    return messages


def with_attachments(request: AgenticSystemTurnCreateRequest) -> list[TurnInputMessage]:
    """Return the messages of a turn with the files beside them at the end of the last user message.

    Where there is no user message, a new one takes them.
    """
    messages = list(request.messages)
    added = [ContentPart(attachment=_attachment(file)) for file in request.attachments]
    if not added:
        return messages
    places = [place for place, message in enumerate(messages) if message.HasField("user")]
    before = parts_of(messages[places[-1]].user.content) if places else []
    made = TurnInputMessage(user=UserMessage(content=content_of([*before, *added])))
    if places:
        messages[places[-1]] = made
        return messages
    return [*messages, made]


def attachments_of(request: AgenticSystemTurnCreateRequest) -> Iterator[tuple[str, Attachment]]:
    """Yield each file that a turn brings with the path of its media type in the request."""
    for place, file in enumerate(request.attachments):
        yield f"attachments[{place}].mime_type", _attachment(file)
    for place, message in enumerate(request.messages):
        for part in parts_of(message.user.content):
            if part.WhichOneof("part") == "attachment":
                yield f"messages[{place}].content.mime_type", part.attachment


def tool_message(response: ToolResponse, reading: Reading) -> Message:
    """Return the message that brings a tool's result to the model."""
    made = ToolResponseMessage(call_id=response.call_id, tool_name=response.tool_name, content=response.content)
    return Message(tool_response=_told(made, reading))


def refusal(text: str) -> CompletionMessage:
    """Return what is said in the place of an answer when a shield does not let it or the question through."""
    return CompletionMessage(content=Content(text=text), stop_reason=StopReason.STOP_REASON_END_OF_TURN)


def appended(message: Message, text: str) -> Message:
    """Return a message with a text after its content."""
    made = Message()
    made.CopyFrom(message)
    holder = made.user if made.HasField("user") else made.tool_response
    parts = parts_of(holder.content)
    holder.content.CopyFrom(content_of([*parts, ContentPart(text=f"\n{text}" if parts else text)]))
    return made


def text_of(message: Message) -> str:
    """Return the text of a message without its files."""
    content = getattr(message, str(message.WhichOneof("message"))).content
    return "".join(part.text for part in parts_of(content))


def parts_of(content: Content) -> list[ContentPart]:
    """Return the pieces of a content; none for an empty text."""
    match content.WhichOneof("content"):
        case "parts":
            return list(content.parts.parts)
        case "attachment":
            return [ContentPart(attachment=content.attachment)]
        case _:
            return [ContentPart(text=content.text)] if content.text else []


def content_of(parts: Iterable[ContentPart]) -> Content:
    """Return pieces as a content; texts alone become one text."""
    pieces = list(parts)
    if all(part.WhichOneof("part") != "attachment" for part in pieces):
        return Content(text="".join(part.text for part in pieces))
    return Content(parts=ContentParts(parts=pieces))


def is_image(attachment: Attachment) -> bool:
    """Return whether a file is an image."""
    return attachment.mime_type.startswith("image/")


def is_document(attachment: Attachment) -> bool:
    """Return whether memory reads a file."""
    return attachment.mime_type.startswith("text/") or attachment.mime_type.partition(";")[0] in DOCUMENTS


def digest_of(attachment: Attachment) -> str:
    """Return what names a file: the same for the same URL and type, and words that a model can copy."""
    return pronounceable(sha256(attachment.SerializeToString(deterministic=True)).digest()[:_NAME_BYTES])


def _of_step(step: Step, refused: str | None, reading: Reading) -> Iterator[Message]:
    """Yield the messages that a step left behind."""
    match step.WhichOneof("step"):
        case "inference":
            answer = step.inference.model_response
            # an answer that an output shield held back is not in the step
            if answer.content.text or answer.tool_calls or parts_of(answer.content):
                yield Message(completion=answer)
        case "tool_execution":
            for response in step.tool_execution.tool_responses:
                yield tool_message(response, reading)
        case "shield_call":
            found = step.shield_call.response
            if refused is not None and found.is_violation and found.violation_return_message == refused:
                yield Message(completion=refusal(refused))


def _refusal(past: Detail) -> str | None:
    """Return what a shield ended a turn with; None when none did. A violation that was let pass did not."""
    output = past.turn.output
    ended_so = bool(past.steps) and past.steps[-1].shield_call.response.is_violation
    return output.content.text if ended_so and output is not None else None


def _file_message(attachment: Attachment, reading: Reading) -> Message:
    digest = digest_of(attachment)
    known = reading.files.get(digest)
    if known is None:
        suffix = guess_extension(attachment.mime_type.partition(";")[0]) or ""
        known = reading.files[digest] = SessionFile(f"{digest}{suffix}", attachment)
    text = Content(text=f"File: {FILES_FOLDER}/{known.name}")
    return Message(tool_response=ToolResponseMessage(call_id=f"file-{digest}", tool_name=CODE, content=text))


def _told(message: ToolResponseMessage, reading: Reading) -> ToolResponseMessage:
    """Return a tool's result with the files that the model can't read named instead."""
    parts = parts_of(message.content)
    if all(part.WhichOneof("part") != "attachment" for part in parts):
        return message
    kept = [
        part
        if part.WhichOneof("part") != "attachment" or (reading.sees and is_image(part.attachment))
        else ContentPart(text=f"[file of type {part.attachment.mime_type}, shown to the user]")
        for part in parts
    ]
    return ToolResponseMessage(call_id=message.call_id, tool_name=message.tool_name, content=content_of(kept))


def _attachment(file: TurnAttachment) -> Attachment:
    """Return a file beside the messages as an attachment; content that is text becomes a data: URL."""
    if file.HasField("url"):
        return Attachment(url=file.url, mime_type=file.mime_type)
    if file.content.WhichOneof("content") == "attachment":
        return Attachment(url=file.content.attachment.url, mime_type=file.mime_type)
    text = "".join(part.text for part in parts_of(file.content))
    uri = f"data:{file.mime_type};base64,{b64encode(text.encode()).decode('ascii')}"
    return Attachment(url=Url(uri=uri), mime_type=file.mime_type)
