"""The code in a conversation: fenced blocks with their language, calls of the code interpreter, and what is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from llamastack.common.v1.message_pb2 import Message
from services.agents.safety.message_text import code_of, text_of

LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("python", "py", "python3", "ipython", "pycon"), "python"),
        **dict.fromkeys(("javascript", "js", "jsx", "node", "typescript", "ts", "tsx"), "javascript"),
        **dict.fromkeys(("c", "h"), "c"),
        **dict.fromkeys(("cpp", "c++", "cc", "cxx", "hpp"), "cpp"),
        **dict.fromkeys(("csharp", "c#", "cs"), "csharp"),
        **dict.fromkeys(("rust", "rs"), "rust"),
        **dict.fromkeys(("ruby", "rb"), "ruby"),
        **dict.fromkeys(("kotlin", "kt"), "kotlin"),
        **dict.fromkeys(("objective-c", "objc", "objectivec"), "objective_c"),
        "java": "java",
        "php": "php",
        "hack": "hack",
        "swift": "swift",
        "xml": "xml",
    }
)
"""codeshield's name of a language by what stands behind the opening of a block."""

_BLOCK: Final = re.compile(
    r"""
    ^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n]*\n   # the opening, with a language or none
    (.*?)                                         # the code, up to
    (?:^[ \t]*\1[`~]*[ \t]*$|\Z)                 # the closing, or the end of the text
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some code; ``language`` is codeshield's name of it, None for a text that may be in any."""

    code: str
    language: str | None = None


def pieces(messages: Sequence[Message]) -> list[Piece]:
    """Return every piece of a conversation once, oldest first; texts around the blocks are pieces of any language."""
    return list(dict.fromkeys(piece for message in messages for piece in _pieces(message) if piece.code.strip()))


def _pieces(message: Message) -> Iterator[Piece]:
    text = text_of(message)
    calls = message.completion.tool_calls if message.WhichOneof("message") == "completion" else ()
    for code in filter(None, map(code_of, calls)):
        yield Piece(code, "python")
        text = text.replace(code, "")
    for block in _BLOCK.finditer(text):
        yield Piece(block[3], LANGUAGES.get(block[2].lower()))
    yield Piece(_BLOCK.sub("\n", text).strip())
