"""Rewards that anybody can verify: equality, a regular expression, a JSON Schema.

Pure and blocking; regular expressions are bounded in time, schemas and documents are not, so run it apart.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

PATTERN_SECONDS: Final = 1.0
"""How long one search of a regular expression may take."""

REFERENCE: Final = "{reference}"
_MOST_SHOWN: Final = 200
_ARTICLES: Final = regex.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = frozenset(string.punctuation)

Result = tuple[float, str]


class BadReward(Exception):
    """The reward function can't be used: ``path`` is within it, ``expected`` says what belongs there."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(path, expected)
        self.path = path
        self.expected = expected


def squad_form(text: str) -> str:
    """Return the text as SQuAD's evaluation compares it: lower case, no punctuation, no articles, single spaces."""
    plain = "".join(sign for sign in text.lower() if sign not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(settings: Mapping[str, Any], answer: str, reference: str) -> Result:
    """Return 1 if the answer, or the part of it that ``extract`` finds last, is the reference.

    Raises:
        BadReward: ``extract`` is no regular expression, or takes too long.
    """
    part = _last(settings["extract"], answer) if settings.get("extract") else answer
    if part is None:
        return 0.0, "nothing in the answer matches extract"
    given, wanted = part.strip(), reference.strip()
    if settings.get("ignore_case"):
        given, wanted = given.lower(), wanted.lower()
    if settings.get("normalize"):
        given, wanted = squad_form(given), squad_form(wanted)
    return _result(given == wanted, f"{_shown(given)} is", f"{_shown(given)} is not", _shown(wanted))


def pattern_found(settings: Mapping[str, Any], answer: str, reference: str | None) -> Result:
    """Return 1 if the pattern is found in the answer; ``{reference}`` in it stands for the reference.

    Raises:
        BadReward: it is no regular expression, or takes too long.
    """
    pattern = settings["pattern"]
    if reference is not None:
        pattern = pattern.replace(REFERENCE, regex.escape(reference))
    found = _search("regex.pattern", pattern, answer)
    return _result(found is not None, "the pattern is found", "the pattern is not found", "in the answer")


def schema_fits(settings: Mapping[str, Any], answer: str, reference: str | None) -> Result:
    """Return 1 if the answer is a JSON document of the schema.

    Raises:
        BadReward: the schema is none, or refers to what is not in it.
    """
    schema = json.loads(settings["schema"])
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadReward("json_schema.schema", f"a JSON Schema is needed: {_shown(error.message)}") from error
    try:
        document = json.loads(answer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return 0.0, "the answer is not JSON"
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        wrong: ValidationError | None = best_match(validator.iter_errors(document))
    except Unresolvable as error:
        raise BadReward("json_schema.schema", "references lead to places within the schema alone") from error
    except RecursionError as error:
        raise BadReward("json_schema.schema", "references lead in a circle") from error
    if wrong is None:
        return 1.0, "the answer fits the schema"
    return 0.0, f"{wrong.json_path}: {_shown(wrong.message)}"


def _last(pattern: str, text: str) -> str | None:
    """Return the last match of a pattern, or its first group where it has one."""
    compiled = _compiled("exact_match.extract", pattern)
    try:
        found = list(compiled.finditer(text, timeout=PATTERN_SECONDS))
    except TimeoutError as error:
        raise _slow("exact_match.extract") from error
    if not found:
        return None
    part: str | None = found[-1][1 if compiled.groups else 0]
    return part or ""


def _search(path: str, pattern: str, text: str) -> Any:
    try:
        return _compiled(path, pattern).search(text, timeout=PATTERN_SECONDS)
    except TimeoutError as error:
        raise _slow(path) from error


def _compiled(path: str, pattern: str) -> Any:
    try:
        return regex.compile(pattern, regex.VERSION0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise BadReward(path, "a regular expression is needed") from error


def _slow(path: str) -> BadReward:
    return BadReward(path, f"a regular expression that is searched within {PATTERN_SECONDS:g} s is needed")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _result(right: bool, yes: str, no: str, rest: str) -> Result:
    return (1.0, f"{yes} {rest}") if right else (0.0, f"{no} {rest}")


def _shown(text: str) -> str:
    short = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
    return json.dumps(short, ensure_ascii=False)
