"""How tokens become text while they come, and where stop strings end it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from services.inference.engines.text_assembly import TextAssembly

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
TOKENIZER = Tokenizer(BPE(vocab={letter: index for index, letter in enumerate(LETTERS)}, merges=[]))
TOKENIZER.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
TOKENIZER.decoder = decoders.ByteLevel()
TOKENIZER.add_special_tokens([AddedToken("<|end|>", special=True)])


def assembled(text: str, *stop: str) -> tuple[list[str], str | None]:
    """Return the pieces of a text of one token per byte, and the stop string that ended it."""
    assembly = TextAssembly(TOKENIZER, (), stop)
    pieces = []
    for token in TOKENIZER.encode(text).ids:
        piece, stopped = assembly.push(token)
        pieces.append(piece)
        if stopped is not None:
            return pieces, stopped
    return [*pieces, assembly.rest()], None


def test_text_comes_token_by_token_and_special_tokens_by_their_names() -> None:
    assert assembled("ab<|end|>") == (["a", "b", "<|end|>", ""], None)


def test_a_character_comes_when_it_is_whole() -> None:
    assert assembled("é") == (["", "é", ""], None)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("say END now", ("END",), ("say ", "END")),
        ("ENEND", ("END",), ("EN", "END")),
        ("a,b;c", (";", ","), ("a", ",")),
        ("no stop", ("STOP",), ("no stop", None)),
        ("STO", ("STOP",), ("STO", None)),
    ],
)
def test_a_stop_string_ends_the_text_before_it(
    text: str, stop: tuple[str, ...], expected: tuple[str, str | None]
) -> None:
    pieces, stopped = assembled(text, *stop)
    assert ("".join(pieces), stopped) == expected


@given(st.text(alphabet="ab", max_size=20), st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3))
def test_the_text_is_what_stands_before_the_first_stop_string_whatever_they_are(text: str, stop: list[str]) -> None:
    pieces, stopped = assembled(text, *stop)
    # the first to be complete wins, and of several that are complete with one token the one that begins first
    complete = [text.find(string) + len(string) for string in stop if string in text]
    if not complete:
        assert ("".join(pieces), stopped) == (text, None)
    else:
        begun = text[: min(complete)]
        assert stopped is not None
        assert begun.endswith(stopped)
        assert "".join(pieces) == begun.removesuffix(stopped)
        assert not any(string in "".join(pieces) for string in stop)
