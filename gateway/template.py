"""Compiles the path templates of google.api.http, as the comments of google/api/http.proto define them.

    Template = "/" Segments [ ":" LITERAL ]
    Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"

A variable of one segment is percent-decoded whole; one that spans several keeps ``%2F``, which would otherwise look
like a boundary between segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

_TOKEN = re.compile(r"\{([A-Za-z_][\w.]*)(?:=([^{}]+))?\}|([^/{}]+)")
_SLASH = re.compile(r"%2[fF]")


class TemplateError(ValueError):
    """A path template is not of the grammar; the message has the template and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A captured part of a path. ``field`` is a path in dots; ``many`` tells whether it spans several segments."""

    field: str
    many: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    ``literal`` is the path itself where the template has neither variables nor wildcards, else None. ``rank`` orders
    templates from the most to the least specific: literals first, ``*`` next, ``**`` last, segment by segment.
    """

    text: str
    literal: str | None
    head: str | None
    rank: tuple[int, ...]
    variables: tuple[Variable, ...]
    pattern: re.Pattern[str]

    def match(self, raw_path: str) -> dict[str, str] | None:
        """Return the variables' decoded values by field path, or None if the still encoded path does not match."""
        found = self.pattern.fullmatch(raw_path)
        if found is None:
            return None
        return {
            variable.field: _decode(text, variable.many)
            for variable, text in zip(self.variables, found.groups(), strict=True)
        }


def compile_template(text: str) -> Template:
    """Compile a template.

    Raises:
        TemplateError: it is not of the grammar.
    """
    if not text.startswith("/"):
        raise TemplateError(f"{text!r} does not begin with a slash")
    path, verb = _split_verb(text[1:])
    variables: list[Variable] = []
    patterns: list[str] = []
    flat: list[str] = []
    for field, inner in _tokens(path, text):
        segments = inner.split("/")
        pattern = "/".join(_segment(segment, text) for segment in segments)
        flat += segments
        if field is not None:
            variables.append(Variable(field, len(segments) > 1 or "**" in segments))
        patterns.append(pattern if field is None else f"({pattern})")
    if "**" in flat[:-1]:
        raise TemplateError(f"{text!r} has ** before its end")
    plain = not variables and "*" not in flat and "**" not in flat
    rank = tuple({"*": 1, "**": 2}.get(segment, 0) for segment in flat)
    return Template(
        text=text,
        literal=text if plain else None,
        head=flat[0] if flat[0] not in ("*", "**") else None,
        rank=(*rank, -len(flat), 0 if verb else 1),
        variables=tuple(variables),
        pattern=re.compile("/" + "/".join(patterns) + (f":{re.escape(verb)}" if verb else "")),
    )


def _split_verb(path: str) -> tuple[str, str]:
    colon = path.rfind(":")
    return (path[:colon], path[colon + 1 :]) if colon > path.rfind("/") and colon > path.rfind("}") else (path, "")


def _tokens(path: str, text: str) -> Iterator[tuple[str | None, str]]:
    if not path:
        yield None, ""
        return
    position = 0
    while position < len(path):
        found = _TOKEN.match(path, position)
        if found is None:
            raise TemplateError(f"{text!r} can't be read at {path[position:]!r}")
        position = found.end()
        if position < len(path):
            if path[position] != "/" or position + 1 == len(path):
                raise TemplateError(f"{text!r} can't be read at {path[position:]!r}")
            position += 1
        yield (found[1], found[2] or "*") if found[1] else (None, found[3])


def _segment(segment: str, text: str) -> str:
    if segment == "**":
        return ".*"
    if segment == "*":
        return "[^/]+"
    if "*" in segment:
        raise TemplateError(f"{text!r} mixes a wildcard with text in one segment")
    return re.escape(segment)


def _decode(text: str, many: bool) -> str:
    if "%" not in text:
        return text
    if not many:
        return unquote(text)
    slashes = _SLASH.findall(text)
    parts = [unquote(part) for part in _SLASH.split(text)]
    return "".join(part + slash for part, slash in zip(parts, [*slashes, ""], strict=True))
