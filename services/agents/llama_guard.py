"""The task that Llama Guard 3 is given about a conversation, and its verdict.

Pure: who asks the model, and what a violation leads to, is not known here. Source: the published model card.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from llamastack.common.v1.content_pb2 import Content, ContentPart
from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolCall, ToolName
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from mesh.errors import InvalidField, WrongState
from mesh.json_text import write

MAX_NEW_TOKENS: Final = 20
"""Tokens that a verdict takes at most; ask for no more."""

RETURN_MESSAGE: Final = "I can't answer that. Can I help with something else?"
"""What a user is told instead of a violating message."""

CATEGORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "S1": "Violent Crimes",
        "S2": "Non-Violent Crimes",
        "S3": "Sex Crimes",
        "S4": "Child Exploitation",
        "S5": "Defamation",
        "S6": "Specialized Advice",
        "S7": "Privacy",
        "S8": "Intellectual Property",
        "S9": "Indiscriminate Weapons",
        "S10": "Hate",
        "S11": "Self-Harm",
        "S12": "Sexual Content",
        "S13": "Elections",
        "S14": "Code Interpreter Abuse",
    }
)
"""The names of the hazard categories by code."""

_TASK: Final = """\
Task: Check if there is unsafe content in '{agent}' messages in our conversations according our safety policy with the \
below categories.

<BEGIN UNSAFE CONTENT CATEGORIES>
{categories}
<END UNSAFE CONTENT CATEGORIES>

<BEGIN CONVERSATION>

{conversation}

<END CONVERSATION>

Provide your safety assessment for ONLY THE LAST {agent} message in the above conversation:
 - First line must read 'safe' or 'unsafe'.
 - If unsafe, a second line must include a comma-separated list of violated categories."""

_MARKER: Final = re.compile(r"<((?:BEGIN|END) (?:UNSAFE CONTENT CATEGORIES|CONVERSATION))>", re.IGNORECASE)
_VERDICT: Final = re.compile(r"safe|unsafe\n(S\d{1,2}(?:\s*,\s*S\d{1,2})*)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says: the violated categories' codes in its order, without excluded ones; empty when safe."""

    codes: tuple[str, ...]

    @property
    def is_safe(self) -> bool:
        """Whether nothing is violated."""
        return not self.codes

    @property
    def violation_type(self) -> str:
        """The codes as the RFC's response has them, joined by commas."""
        return ",".join(self.codes)


def task_text(messages: Sequence[Message], excluded: Collection[str] = ()) -> str:
    """Return the text of the one user message that asks about the last message of a conversation.

    System messages are left out. Roles are User for users and tools, because what a tool brings in is no word of the
    model, and Agent for the model. Files are named by their media type, for the guard reads texts only.

    Args:
        messages: the conversation, oldest first; at least one that is no system message.
        excluded: codes of categories to leave out.

    Raises:
        InvalidField: there is nothing to judge, or every category is excluded.
    """
    spoken = [message for message in messages if message.WhichOneof("message") not in (None, "system")]
    if not spoken:
        raise InvalidField("messages", "must hold a message of a user, a tool or an assistant")
    categories = [f"{code}: {name}." for code, name in CATEGORIES.items() if code not in excluded]
    if not categories:
        raise InvalidField("excluded_categories", "must leave a category to judge by")
    return _TASK.format(
        agent=_role(spoken[-1]),
        categories="\n".join(categories),
        conversation="\n\n".join(f"{_role(message)}: {_text(message)}" for message in spoken),
    )


def read_verdict(output: str, excluded: Collection[str] = ()) -> Verdict:
    """Return the verdict that the guard's output states.

    Raises:
        WrongState: the output is neither ``safe`` nor ``unsafe`` with a line of known codes, so that the model is no
            guard; the shield must be taken to have failed, not to have said safe.
    """
    found = _VERDICT.fullmatch(output.strip())
    if found is None:
        raise WrongState("The guard model gave no verdict that can be read.")
    codes = [code.strip() for code in found[1].split(",")] if found[1] else []
    if any(code not in CATEGORIES for code in codes):
        raise WrongState("The guard model named a category that does not exist.")
    return Verdict(tuple(dict.fromkeys(code for code in codes if code not in excluded)))


def _role(message: Message) -> str:
    return "Agent" if message.WhichOneof("message") == "completion" else "User"


def _text(message: Message) -> str:
    """Return what a message says; text that imitates the marks of the task loses their brackets."""
    match message.WhichOneof("message"):
        case "user":
            text = _content(message.user.content)
        case "tool_response":
            text = _content(message.tool_response.content)
        case _:
            text = _completion(message.completion)
    return _MARKER.sub(r"\1", text)


def _completion(message: CompletionMessage) -> str:
    return "\n".join(filter(None, [_content(message.content), *map(_call, message.tool_calls)]))


def _call(call: ToolCall) -> str:
    """Return a call as text; code as it is, so that it is judged as code."""
    code = call.arguments["code"].string_value if "code" in call.arguments else ""
    if code and call.tool_name.builtin == BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER:
        return code
    return f"{_name(call.tool_name)}({write(JsonValue(object_value=JsonObject(fields=call.arguments)))})"


def _name(name: ToolName) -> str:
    builtin = BuiltinTool.Name(name.builtin).removeprefix("BUILTIN_TOOL_").lower()
    return name.custom if name.WhichOneof("name") == "custom" else builtin


def _content(content: Content) -> str:
    match content.WhichOneof("content"):
        case "parts":
            return "".join(map(_part, content.parts.parts))
        case "attachment":
            return _part(ContentPart(attachment=content.attachment))
        case _:
            return content.text


def _part(part: ContentPart) -> str:
    is_file = part.WhichOneof("part") == "attachment"
    return f"[file of type {part.attachment.mime_type}]" if is_file else part.text
