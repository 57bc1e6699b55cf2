"""Tells from the beginning of a text whether a tool call without a python tag begins there.

A sign is what makes a text a call rather than something that looks like one: ``<function=NAME>{``, a JSON object with
``"type": "function"`` or a ``"name"`` that is a string, ``[NAME(PARAMETER=`` or ``[NAME()``, ``WORD.call(query="``.
A text stays undecided only while its next character may still complete a sign. Knows nothing about special tokens.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final, Protocol

from services.inference.prompt.python_calls import NAME


class Sign(enum.Enum):
    """What is known about the beginning of a text."""

    UNDECIDED = enum.auto()
    CALL = enum.auto()
    TEXT = enum.auto()


FUNCTION: Final = re.compile(r"<function=([^<>{}\s]{1,256})>\s{0,16}(?=\{)")
"""A function tag up to its arguments."""

_FUNCTION_START: Final = "<function="
_FUNCTION_PARTIAL: Final = re.compile(r"<function=(?:[^<>{}\s]{0,256}|[^<>{}\s]{1,256}>\s{0,16})")
LIST: Final = re.compile(rf"\s*\[\s*(?:{NAME})\(\s*(?:\)|[A-Za-z_]\w*\s*=|\*\*\{{)")
"""The beginning of a list of Python calls."""

_LIST_PARTIAL: Final = re.compile(rf"\s*\[\s*(?:{NAME}(?:\(\s*(?:[A-Za-z_]\w*\s*=?|\*\*?)?)?)?")
BUILTIN_CALL: Final = re.compile(r"\s*([A-Za-z_]\w{0,255})\.call\(\s*query\s*=\s*(?=[\"'])", re.ASCII)
"""A call of a tool with a query, up to the query."""

_WORD: Final = re.compile(r"\s*[A-Za-z_]\w{0,255}", re.ASCII)
_BUILTIN_TAIL_PARTIAL: Final = re.compile(
    r"\.(?:c(?:a(?:l(?:l(?:\(\s*(?:q(?:u(?:e(?:r(?:y\s*(?:=\s*)?)?)?)?)?)?)?)?)?)?)?"
)
_LONGEST: Final = 1024


def function_sign(text: str, start: int) -> Sign:
    """Tell whether a function tag begins at ``start``, where a ``<`` stands."""
    if FUNCTION.match(text, start):
        return Sign.CALL
    if len(text) - start < len(_FUNCTION_START):
        return Sign.UNDECIDED if _FUNCTION_START.startswith(text[start:]) else Sign.TEXT
    return Sign.UNDECIDED if _FUNCTION_PARTIAL.fullmatch(text, start) else Sign.TEXT


class Probe(Protocol):
    """Reads a text piece by piece until it is decided; must not be fed once it is."""

    def feed(self, piece: str) -> Sign:
        """Read the next piece, and tell what is known now."""

    @property
    def likely(self) -> bool:
        """Whether an undecided text is more likely a call that was cut off than a text."""


class JsonProbe:
    """Looks for the sign in a JSON object of any size, reading each character once."""

    _CALL_MEMBERS: Final = frozenset({"type", "name", "parameters", "arguments", "id", "description"})
    _RUN: Final = re.compile(r'[^"\\]*')
    _SPACES: Final = frozenset(" \t\r\n")
    _VALUE_STARTS: Final = frozenset('"{[-0123456789tfn')

    def __init__(self) -> None:
        self._expects = "{"
        self._depth = 0
        self._string: list[str] | None = None
        self._escaped = False
        self._key = ""
        self._foreign = False
        self._begun = False

    @property
    def likely(self) -> bool:
        return self._begun and not self._foreign

    def feed(self, piece: str) -> Sign:
        at = 0
        while at < len(piece):
            if self._string is not None:
                at, sign = self._in_string(piece, at)
            else:
                sign = self._outside(piece[at])
                at += 1
            if sign is not Sign.UNDECIDED:
                return sign
        return Sign.UNDECIDED

    def _in_string(self, piece: str, at: int) -> tuple[int, Sign]:
        assert self._string is not None
        if self._escaped:
            self._escaped = False
            self._string.append(piece[at])
            return at + 1, Sign.UNDECIDED
        found = self._RUN.match(piece, at)
        end = found.end() if found else at
        self._string.append(piece[at:end])
        if end == len(piece):
            return end, Sign.UNDECIDED
        if piece[end] == "\\":
            self._escaped = True
            self._string.append("\\")
            return end + 1, Sign.UNDECIDED
        text = "".join(self._string)
        self._string = None
        return end + 1, self._string_ended(text)

    def _string_ended(self, text: str) -> Sign:
        if self._depth > 1:
            return Sign.UNDECIDED
        if self._expects == "key":
            self._key, self._expects = text, ":"
            self._foreign |= text not in self._CALL_MEMBERS
            return Sign.UNDECIDED
        self._expects = ","
        is_sign = bool(text) if self._key == "name" else self._key == "type" and text == "function"
        return Sign.CALL if is_sign else Sign.UNDECIDED

    def _outside(self, char: str) -> Sign:
        if char in self._SPACES:
            return Sign.UNDECIDED
        return self._nested(char) if self._depth > 1 else self._top(char)

    def _nested(self, char: str) -> Sign:
        if char == '"':
            self._string = []
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            self._expects = ","
        return Sign.UNDECIDED

    def _top(self, char: str) -> Sign:
        match self._expects:
            case "{" if char == "{":
                self._depth, self._expects = 1, "key"
            case "key" if char == '"':
                self._string, self._begun = [], True
            case ":" if char == ":":
                self._expects = "value"
            case "value" if char in self._VALUE_STARTS:
                if char == '"':
                    self._string = []
                elif char in "{[":
                    self._depth = 2
                else:
                    self._expects = "scalar"
            case "," | "scalar" if char == ",":
                self._expects = "key"
            case "scalar" if char.isalnum() or char in "+-.":
                return Sign.UNDECIDED
            case _:
                return Sign.TEXT
        return Sign.UNDECIDED


class _PatternProbe:
    """Looks at the whole text so far, which is short as long as it is undecided."""

    def __init__(self, sign_of: Callable[[str], Sign], *, distinct: bool) -> None:
        self._sign_of = sign_of
        self._distinct = distinct
        self._text = ""

    @property
    def likely(self) -> bool:
        return self._distinct and len(self._text) > 1

    def feed(self, piece: str) -> Sign:
        self._text = (self._text + piece)[:_LONGEST]
        sign = self._sign_of(self._text)
        return Sign.TEXT if sign is Sign.UNDECIDED and len(self._text) == _LONGEST else sign


def _function_sign(text: str) -> Sign:
    return function_sign(text, 0)


def _list_sign(text: str) -> Sign:
    if LIST.match(text):
        return Sign.CALL
    return Sign.UNDECIDED if _LIST_PARTIAL.fullmatch(text) else Sign.TEXT


def _builtin_sign(text: str) -> Sign:
    if BUILTIN_CALL.match(text):
        return Sign.CALL
    word = _WORD.match(text)
    if word is None:
        return Sign.TEXT
    at = word.end()
    undecided = at == len(text) or _BUILTIN_TAIL_PARTIAL.fullmatch(text, at)
    return Sign.UNDECIDED if undecided else Sign.TEXT


def probe_for(first: str) -> Probe | None:
    """Return the probe for a text that begins with the character ``first``; None if no call begins with it."""
    if first == "{":
        return JsonProbe()
    if first == "[":
        return _PatternProbe(_list_sign, distinct=True)
    if first == "<":
        return _PatternProbe(_function_sign, distinct=True)
    if first.isascii() and (first.isalpha() or first == "_"):
        return _PatternProbe(_builtin_sign, distinct=False)
    return None
