"""Rewards that anybody can verify."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.eval.rewards import verifiable
from services.eval.rewards.verifiable import BadReward, exact_match, pattern_found, schema_fits, squad_form


@pytest.mark.parametrize(
    ("settings", "answer", "reference", "score"),
    [
        ({}, " Paris\n", "Paris", 1.0),
        ({}, "paris", "Paris", 0.0),
        ({"ignore_case": True}, "PARIS", "Paris", 1.0),
        ({"ignore_case": True}, "Paris.", "Paris", 0.0),
        ({"normalize": True}, "The  Eiffel-Tower!", "eiffeltower", 1.0),
        ({"normalize": True}, "an apple", "Apple", 1.0),
        ({"normalize": True}, "theatre", "atre", 0.0),
        ({}, "", "", 1.0),
        ({"extract": r"#### (\d+)"}, "#### 1\nno:\n#### 42", "42", 1.0),
        ({"extract": r"\d+"}, "1, 2 and 3", "3", 1.0),
        ({"extract": r"\d+"}, "none", "3", 0.0),
        ({"extract": r"a(b)?"}, "a", "", 1.0),
    ],
)
def test_an_answer_is_worth_one_if_it_is_the_reference(
    settings: dict[str, Any], answer: str, reference: str, score: float
) -> None:
    assert exact_match(settings, answer, reference)[0] == score


def test_squads_form_has_no_case_punctuation_articles_or_wide_spaces() -> None:
    assert squad_form("  The cat's a\tCat, an  ANT. ") == "cats cat ant"


@pytest.mark.parametrize(
    ("pattern", "answer", "reference", "score"),
    [
        (r"^\d{3}$", "123", None, 1.0),
        (r"^\d{3}$", "1234", None, 0.0),
        (r"answer is {reference}\b", "The answer is 3.5.", "3.5", 1.0),
        (r"answer is {reference}\b", "The answer is 3x5.", "3.5", 0.0),
        (r"a{2}", "aa", "x", 1.0),
    ],
)
def test_an_answer_is_worth_one_if_the_pattern_is_found(
    pattern: str, answer: str, reference: str | None, score: float
) -> None:
    assert pattern_found({"pattern": pattern}, answer, reference)[0] == score


def test_patterns_that_cannot_be_read_or_take_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiable, "PATTERN_SECONDS", 0.05)
    for pattern in ("(", "a{3}{", "(?P<x"):
        with pytest.raises(BadReward) as caught:
            pattern_found({"pattern": pattern + "("}, "a", None)
        assert (caught.value.path, caught.value.expected) == ("regex.pattern", "a regular expression is needed")
    slow = "a regular expression that is searched within 0.05 s is needed"
    with pytest.raises(BadReward, match=r"searched within 0\.05 s"):
        pattern_found({"pattern": r"(a|aa)+$"}, "a" * 60 + "b", None)
    with pytest.raises(BadReward) as caught:
        exact_match({"extract": r"(a|aa)+$"}, "a" * 60 + "b", "a")
    assert (caught.value.path, caught.value.expected) == ("exact_match.extract", slow)


PERSON = {
    "type": "object",
    "properties": {"name": {"$ref": "#/$defs/name"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"name": {"type": "string", "pattern": "^[A-Z]"}},
}


def fits(schema: Any, answer: str) -> tuple[float, str]:
    return schema_fits({"schema": json.dumps(schema)}, answer, None)


def test_an_answer_is_worth_one_if_it_is_a_document_of_the_schema() -> None:
    assert fits(PERSON, '{"name": "Ann", "age": 3}') == (1.0, "the answer fits the schema")
    score, why = fits(PERSON, '{"name": "Ann", "age": -3}')
    assert (score, why.startswith("$.age: ")) == (0.0, True)
    for answer in ('{"name": "ann"}', "{}", '{"name": "Ann", "x": 1}', "[]"):
        assert fits(PERSON, answer)[0] == 0.0
    for answer in ("", "Sure: {}", '{"name": NaN}', "[" * 100_000):
        assert fits(PERSON, answer) == (0.0, "the answer is not JSON")
    assert fits({}, "1")[0] == 1.0


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "person"}, "a JSON Schema is needed"),
        ({"$ref": "https://example.com/schema.json"}, "references lead to places within the schema alone"),
        ({"$ref": "#/$defs/none"}, "references lead to places within the schema alone"),
        ({"$ref": "#"}, "references lead in a circle"),
        ({"pattern": "("}, "a JSON Schema is needed"),
    ],
)
def test_schemas_that_cannot_be_used_are_refused(schema: Any, expected: str) -> None:
    with pytest.raises(BadReward) as caught:
        fits(schema, '"a"')
    assert caught.value.path == "json_schema.schema"
    assert caught.value.expected.startswith(expected)
