"""Reads lists of Python calls, as in ``[f(a=1), g()]``, without running or compiling anything.

More lenient than Python where models are: ``true``, ``false`` and ``null`` are values, a parameter may be named like a
Python keyword, and names may hold dots and hyphens. Only keyword arguments with literal values are read. Knows nothing
about tools or messages.
"""

from __future__ import annotations

import re
from typing import Final

from mesh.json_text import MAX_DEPTH, Loose, integer, unicode

NAME: Final = r"[A-Za-z_][A-Za-z0-9_.\-]*"
_SPACE: Final = re.compile(r"\s*")
_BETWEEN: Final = re.compile(r"[\s;]*")
_NAME: Final = re.compile(NAME)
_KEYWORD: Final = re.compile(r"([A-Za-z_]\w*)\s*=\s*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z]+")
_WORDS: Final[dict[str, Loose]] = {
    "True": True, "true": True, "False": False, "false": False, "None": None, "null": None,
}  # fmt: skip
_STRING: Final = re.compile(
    r'"""((?:[^\\]|\\.)*?)"""' r"|'''((?:[^\\]|\\.)*?)'''" r'|"((?:[^"\\]|\\.)*)"' r"|'((?:[^'\\]|\\.)*)'", re.DOTALL
)
_ESCAPE: Final = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))|(?P<octal>[0-7]{1,3})|(?P<other>.))",
    re.DOTALL,
)
_SINGLE: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "\n": "", "\\": "\\", "'": "'",
    '"': '"', "/": "/",
}  # fmt: skip


def _unescaped(escape: re.Match[str]) -> str:
    if escape["high"]:
        return chr(0x10000 + ((int(escape["high"], 16) - 0xD800) << 10) + (int(escape["low"], 16) - 0xDC00))
    code = escape["x"] or escape["u"] or escape["U"]
    if code:
        return chr(int(code, 16))
    if escape["octal"]:
        return chr(int(escape["octal"], 8))
    return _SINGLE.get(escape["other"], escape[0])


def read_string(text: str, start: int) -> tuple[str, int]:
    """Return the quoted string that begins at ``start``, its escapes resolved, and the position after it.

    Raises:
        ValueError: no whole string begins there.
    """
    found = _STRING.match(text, start)
    if found is None:
        raise ValueError("no string here")
    body = found[found.lastindex or 0]
    if "\\" in body:
        body = _ESCAPE.sub(_unescaped, body)
    return unicode(body), found.end()


class _Reader:
    """A position in a text that moves on as things are read; every method raises ValueError where it can't."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def skip(self, gap: re.Pattern[str] = _SPACE) -> None:
        found = gap.match(self._text, self.at)
        self.at = found.end() if found else self.at

    def take(self, mark: str) -> bool:
        """Skip space, and then the mark if it is there."""
        self.skip()
        if not self._text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            raise ValueError(f"expected {mark}")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip()
        found = pattern.match(self._text, self.at)
        if found:
            self.at = found.end()
        return found

    @property
    def ended(self) -> bool:
        return self.at == len(self._text)

    def calls(self) -> list[tuple[str, dict[str, Loose]]]:
        self.expect("[")
        calls = []
        while not self.take("]"):
            calls.append(self.call())
            if not self.take(","):
                self.expect("]")
                break
        return calls

    def call(self) -> tuple[str, dict[str, Loose]]:
        name = self.match(_NAME)
        if name is None:
            raise ValueError("expected a name")
        self.expect("(")
        arguments: dict[str, Loose] = {}
        while not self.take(")"):
            self.argument(arguments)
            if not self.take(","):
                self.expect(")")
                break
        return name[0], arguments

    def argument(self, arguments: dict[str, Loose]) -> None:
        if self.take("**"):
            self.expect("{")
            arguments.update(self.members(0))
            return
        keyword = self.match(_KEYWORD)
        if keyword is None:
            raise ValueError("expected a keyword argument")
        arguments[keyword[1]] = self.value(0)

    def members(self, depth: int) -> dict[str, Loose]:
        members: dict[str, Loose] = {}
        while not self.take("}"):
            name = self.string()
            self.expect(":")
            members[name] = self.value(depth + 1)
            if not self.take(","):
                self.expect("}")
                break
        return members

    def items(self, end: str, depth: int) -> list[Loose]:
        items: list[Loose] = []
        while not self.take(end):
            items.append(self.value(depth + 1))
            if not self.take(","):
                self.expect(end)
                break
        return items

    def string(self) -> str:
        self.skip()
        text, self.at = read_string(self._text, self.at)
        return text

    def value(self, depth: int) -> Loose:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        self.skip()
        start = self._text[self.at : self.at + 1]
        if start in ('"', "'"):
            return self.string()
        if start == "{":
            self.at += 1
            return self.members(depth)
        if start in ("[", "("):
            self.at += 1
            return self.items("]" if start == "[" else ")", depth)
        number = self.match(_NUMBER)
        if number:
            digits = number[0].removeprefix("+")
            return integer(_canonical(digits)) if digits.lstrip("-").isdigit() else float(digits)
        word = self.match(_WORD)
        if word is None or word[0] not in _WORDS:
            raise ValueError("expected a literal")
        return _WORDS[word[0]]


def _canonical(digits: str) -> str:
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return sign + (digits.lstrip("0") or "0")


def read_calls(text: str) -> list[tuple[str, dict[str, Loose]]]:
    """Return name and arguments of each call in one or more lists that make up the whole text.

    Raises:
        ValueError: the text is anything else.
    """
    reader = _Reader(text)
    calls: list[tuple[str, dict[str, Loose]]] = []
    while not reader.ended:
        calls += reader.calls()
        reader.skip(_BETWEEN)
    return calls
