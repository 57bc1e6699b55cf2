"""Counting tokens by a rule, beside the tokenizer of the built-in embedding model."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from mesh import token_rule
from services.inference.app import builtin_embedding_model
from tests.corpus.judgement import passages


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("word", 1), ("interlending", 2), ("1,234,567", 5), ("日本語", 3), ("a-b", 3), ("  \n", 0)],
)
def test_letters_digits_and_signs_are_counted_by_the_rule(text: str, count: int) -> None:
    assert token_rule.count(text) == count


def test_the_rule_errs_on_the_large_side_of_a_real_vocabulary() -> None:
    tokenizer = Tokenizer.from_file(str(builtin_embedding_model() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ratios = [
        token_rule.count(text) / len(tokenizer.encode(text, add_special_tokens=False).ids)
        for text in passages().values()
    ]
    assert sum(ratios) / len(ratios) > 1.0
    assert min(ratios) >= 0.8
