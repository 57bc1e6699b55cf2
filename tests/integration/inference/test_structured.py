"""Guidance on its way to vLLM: JSON in one spelling, errors that say what is wrong and not where in a library."""

from __future__ import annotations

import json

import pytest

from mesh.errors import InvalidField
from services.inference.engine import Guidance, GuidanceKind
from services.inference.engines.structured import structured_outputs

pytest.importorskip("vllm", reason="this machine has no build of vLLM")
# What vLLM imports uses what torch has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(300),  # the first test imports vLLM
]

SKY = {
    "type": "object",
    "properties": {"sky": {"enum": ["grey", 'a "blue" é']}, "parts": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["sky"],
}


def accepts(guidance: Guidance, text: str) -> bool:
    """Tell whether the grammar that vLLM is given allows a text."""
    import xgrammar
    from xgrammar.testing import _is_grammar_accept_string

    return _is_grammar_accept_string(xgrammar.Grammar.from_ebnf(structured_outputs(guidance).grammar), text)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ('{"sky": "grey"}', True),
        (json.dumps({"sky": 'a "blue" é', "parts": [{"sky": "grey"}]}, ensure_ascii=False), True),
        ('{"sky":"grey"}', False),
        ('{\n"sky": "grey"}', False),
        ('{"sky": "red"}', False),
    ],
)
def test_a_schema_allows_what_json_dumps_writes_on_one_line(text: str, accepted: bool) -> None:
    assert accepts(Guidance(GuidanceKind.JSON_SCHEMA, json.dumps(SKY)), text) is accepted


@pytest.mark.parametrize(("text", "accepted"), [('{"a": [1, null]}', True), ("[]", False), ("{ }", False)])
def test_a_json_object_is_any_object_in_that_spelling(text: str, accepted: bool) -> None:
    assert accepts(Guidance(GuidanceKind.JSON_OBJECT), text) is accepted


def test_a_schema_beyond_xgrammar_is_left_to_vllm() -> None:
    schema = json.dumps({"type": "array", "uniqueItems": True})
    assert structured_outputs(Guidance(GuidanceKind.JSON_SCHEMA, schema)).json == schema


def test_a_schema_that_is_none_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidField) as raised:
        structured_outputs(Guidance(GuidanceKind.JSON_SCHEMA, '{"type": "nope"}'))
    assert raised.value.message == ('guidance: must be a JSON Schema that can be followed: Unsupported type "nope"')


def test_the_other_kinds_pass_as_they_are() -> None:
    assert structured_outputs(None) is None
    assert structured_outputs(Guidance(GuidanceKind.REGEX, "[a-c]+")).regex == "[a-c]+"
    assert structured_outputs(Guidance(GuidanceKind.GRAMMAR, 'root ::= "a"')).grammar == 'root ::= "a"'
