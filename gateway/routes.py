"""Finds what serves a path and a verb. Knows paths and verbs; knows nothing of what they lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.template import Template, compile_template

Target = TypeVar("Target")

_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile("[A-Za-z0-9._~-]")
_NO_VARIABLES: Mapping[str, str] = {}


class RouteError(ValueError):
    """Two contracts claim one path and verb; the message names the path."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Target]):
    """What a path and a verb lead to, and the variables of the path by field path."""

    target: Target
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WrongVerb:
    """The path exists, but not with this verb. ``allow`` is the value of an Allow header."""

    allow: str


def _plain(escape: re.Match[str]) -> str:
    """Return the character of an escape that need not have been one, else the escape as it is."""
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0]


@dataclass(slots=True)
class Router(Generic[Target]):
    """Paths without variables are found in one look-up; templates are tried from the most specific one down.

    A trailing slash makes no difference to any path, and HEAD goes where GET goes.
    """

    _literals: dict[str, dict[str, Found[Target]]] = field(default_factory=dict)
    _templates: dict[str | None, list[tuple[Template, dict[str, Target]]]] = field(default_factory=dict)

    def add(self, verb: str, path: str, target: Target) -> None:
        """Route a verb on a template.

        Raises:
            RouteError: the verb and the template are taken.
            TemplateError: the template is not of the grammar.
        """
        template = compile_template(path.rstrip("/") or "/")
        if template.literal is not None:
            verbs = self._literals.setdefault(template.literal, {})
            self._literals[template.literal.rstrip("/") + "/"] = verbs
            taken = verbs.setdefault(verb, Found(target, _NO_VARIABLES)).target is not target
        else:
            taken = self._targets(template).setdefault(verb, target) is not target
        if taken:
            raise RouteError(f"{verb} {path} is claimed twice")

    def find(self, verb: str, path: str) -> Found[Target] | WrongVerb | None:
        """Return what a verb and a path lead to; the path is still percent-encoded and has no query.

        Letters, digits and ``-._~`` are the same whether they are encoded or not (RFC 3986, 6.2.2.2).
        """
        verbs = self._literals.get(path)
        if verbs is not None and (found := verbs.get(verb)) is not None:
            return found
        if "%" in path and (plain := _ESCAPE.sub(_plain, path)) != path:
            return self.find(verb, plain)
        return self._search(verb, path, set(verbs or ()))

    def _targets(self, template: Template) -> dict[str, Target]:
        bucket = self._templates.setdefault(template.head, [])
        for known, targets in bucket:
            if known.pattern == template.pattern and known.variables == template.variables:
                return targets
        fresh: dict[str, Target] = {}
        bucket.append((template, fresh))
        bucket.sort(key=lambda entry: entry[0].rank)
        return fresh

    def _search(self, verb: str, path: str, verbs: set[str]) -> Found[Target] | WrongVerb | None:
        bare = path.rstrip("/") or "/"
        head = bare[1:].split("/", 1)[0]
        for template, targets in (*self._templates.get(head, ()), *self._templates.get(None, ())):
            variables = template.match(bare)
            if variables is not None:
                if verb in targets:
                    return Found(targets[verb], variables)
                verbs |= targets.keys()
        if verb == "HEAD" and "GET" in verbs:
            return self.find("GET", path)
        if not verbs:
            return None
        return WrongVerb(", ".join(sorted({*verbs, "OPTIONS"} | ({"HEAD"} if "GET" in verbs else set()))))
