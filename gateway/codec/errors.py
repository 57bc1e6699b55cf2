"""What goes wrong between JSON and wire bytes.

CodecError
├── DecodeError   JSON that is not the message's: the caller's fault, with the path of the bad value
├── EncodeError   wire bytes that are not the message's: the fault of whoever sent them
└── PlanError     options of a contract that contradict themselves: found at start-up
"""

from __future__ import annotations

import json

_LONGEST = 60


class CodecError(ValueError):
    """Anything that goes wrong between JSON and wire bytes."""


class PlanError(CodecError):
    """The options of a contract contradict themselves; the message names the message or the field."""


class EncodeError(CodecError):
    """Bytes are no wire form of the message; the message names its type."""


class DecodeError(CodecError):
    """A JSON value is not what the contract asks for.

    ``path`` names the value as the caller wrote it (`messages[2].content.url`, `arguments["a b"]`; "" is the document
    itself), ``expected`` and ``found`` are phrases that complete "expected …, found …".
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self._steps: list[str] = []

    def in_member(self, name: str) -> DecodeError:
        """Put a member's name before the path, as a key where it is no plain name; return the error itself."""
        if not name.isidentifier():
            return self.in_key(name)
        self._steps.append(f".{name}")
        return self

    def in_item(self, index: int) -> DecodeError:
        """Put an array index before the path; return the error itself."""
        self._steps.append(f"[{index}]")
        return self

    def in_key(self, key: str) -> DecodeError:
        """Put a key of a map before the path; return the error itself."""
        self._steps.append(f"[{json.dumps(key, ensure_ascii=False)}]")
        return self

    @property
    def path(self) -> str:
        """Return the path from the document to the bad value."""
        return "".join(reversed(self._steps)).removeprefix(".")

    def __str__(self) -> str:
        """Return the path and what was expected and found there."""
        sentence = f"expected {self.expected}, found {self.found}"
        return f"{self.path}: {sentence}" if self._steps else sentence


def unfit(expected: str, value: object) -> DecodeError:
    """Return the error for a JSON value that is not the expected one."""
    return DecodeError(expected, description(value))


def description(value: object) -> str:
    """Return a JSON value in few words: scalars as they are, cut at 60 characters, and "an array" or "an object"."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
