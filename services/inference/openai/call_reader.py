"""Reads calls out of an output that a schema of ``schemas`` restricts, while it comes, arguments included.

Because the output can only be what the schema allows, it is enough to find where a call's arguments begin and end.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from typing import Final

from llamastack.common.v1.message_pb2 import StopReason
from services.inference.openai.output import NONE, CallBegin, CallText, Ending, Part, finish_reason

_HEAD: Final = re.compile(
    r'[\s\[,]*\{\s*"type"\s*:\s*"function"\s*,\s*"name"\s*:\s*"([^"]*)"\s*,\s*"parameters"\s*:\s*(?=\{)'
)
_SIGN: Final = '{"type":"function","name":"'
_SIGNS: Final = (_SIGN, f"[{_SIGN}")
_SPACE: Final = re.compile(r"\s+")
_MARKS: Final = re.compile(r'["{}\\]')


class _At(enum.Enum):
    """Where in an output the reader is."""

    START = enum.auto()
    BETWEEN = enum.auto()
    ARGUMENTS = enum.auto()
    ANSWER = enum.auto()


class CallReader:
    """The OutputReader of an output that is calls, or a JSON answer where that is allowed."""

    def __init__(self, new_call_id: Callable[[], str], *, answers: bool) -> None:
        """``answers`` says whether the output may be something else than calls."""
        self._new_call_id = new_call_id
        self._at = _At.START if answers else _At.BETWEEN
        self._held = ""
        self._calls = 0
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def push(self, text: str, token_ids: Sequence[int]) -> Sequence[Part]:
        """Return the parts that became certain with the next text."""
        parts: list[Part] = []
        self._held += text
        while self._held and self._step(parts):
            pass
        return parts or NONE

    def finish(self, reason: StopReason.ValueType) -> Ending:
        """Return the rest: an answer that looked like a call up to here."""
        rest = [self._held] if self._at is _At.START and self._held else []
        return Ending(rest, finish_reason(reason, called=self._calls > 0))

    def _step(self, parts: list[Part]) -> bool:
        """Read as far as one state goes and tell whether there is more to read."""
        match self._at:
            case _At.START:
                return self._start()
            case _At.BETWEEN:
                return self._begin(parts)
            case _At.ARGUMENTS:
                self._arguments(parts)
                return bool(self._held)
            case _At.ANSWER:
                parts.append(self._held)
                self._held = ""
                return False

    def _start(self) -> bool:
        """Tell calls from an answer, once enough is there."""
        seen = _SPACE.sub("", self._held)
        if any(seen.startswith(sign) for sign in _SIGNS):
            self._at = _At.BETWEEN
        elif not any(sign.startswith(seen) for sign in _SIGNS):
            self._at = _At.ANSWER
        return self._at is not _At.START

    def _begin(self, parts: list[Part]) -> bool:
        head = _HEAD.search(self._held)
        if head is None:
            return False
        parts.append(CallBegin(self._calls, self._new_call_id(), head[1]))
        self._held = self._held[head.end() :]
        self._at = _At.ARGUMENTS
        return True

    def _arguments(self, parts: list[Part]) -> None:
        """Read up to the brace that closes the arguments."""
        end = self._end()
        parts.append(CallText(self._calls, self._held[:end]))
        self._held = self._held[end:]
        if not self._depth:
            self._calls += 1
            self._at = _At.BETWEEN

    def _end(self) -> int:
        """Return where the arguments end, or the length of what is there."""
        at = 0
        if self._escaped:
            at, self._escaped = 1, False
        while mark := _MARKS.search(self._held, at):
            at = mark.end()
            if mark[0] == "\\":
                if at == len(self._held):
                    self._escaped = True
                    break
                at += 1
            elif mark[0] == '"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += 1 if mark[0] == "{" else -1
                if not self._depth:
                    return at
        return len(self._held)
