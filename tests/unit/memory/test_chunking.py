"""Cutting documents."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import token_rule
from mesh.errors import OutOfRange
from services.memory.chunking import Cut, Text, pieces
from services.memory.readers.markdown import read_markdown

CUT = Cut(16, 4, 10_000)


@settings(deadline=None)
@given(st.text(alphabet="ab .,\n\té漢1-", max_size=400))
def test_chunks_are_pieces_of_the_text_within_the_size_and_leave_no_word_out(text: str) -> None:
    found = pieces(Text(text), CUT)
    assert all(text[piece.start : piece.end] == piece.text for piece in found)
    assert all(0 < piece.tokens == token_rule.count(piece.text) <= CUT.size for piece in found)
    covered = {position for piece in found for position in range(piece.start, piece.end)}
    assert all(position in covered or character.isspace() for position, character in enumerate(text))


def test_no_chunk_crosses_a_heading_and_each_tells_the_headings_above_it() -> None:
    text = "intro\n# A\n\none\n## B\n\ntwo\n```\n# no heading\n```\n# C #\n"
    found = [(piece.section, piece.text) for piece in pieces(read_markdown(text), Cut(64, 0, 10))]
    assert found == [
        (None, "intro"),
        ("A", "# A\n\none"),
        ("A > B", "## B\n\ntwo\n```\n# no heading\n```"),
        ("C", "# C #"),
    ]


def test_a_chunk_shares_its_beginning_with_the_end_of_the_one_before() -> None:
    text = " ".join(f"w{number % 10}" for number in range(64))
    found = pieces(Text(text), Cut(16, 8, 100))
    assert all(later.start < earlier.end for earlier, later in pairwise(found))
    apart = pieces(Text(text), Cut(16, 0, 100))
    assert all(later.start >= earlier.end for earlier, later in pairwise(apart))


def test_pages_are_those_on_which_chunks_begin() -> None:
    document = Text("one\n\n" + "two " * 30, pages=[(0, 1), (5, 2)])
    found = pieces(document, Cut(16, 0, 10))
    assert found[0].page == 1
    assert {piece.page for piece in found if piece.start >= 5} == {2}


def test_a_document_of_too_many_chunks_is_refused() -> None:
    with pytest.raises(OutOfRange, match="more than 3 chunks"):
        pieces(Text("word " * 1000), Cut(16, 0, 3))


@pytest.mark.timeout(20)
def test_words_in_a_sea_of_white_space_are_found_at_once() -> None:
    blank = "\t\n " * 60_000
    found = pieces(Text(f"{blank}one{blank}two {blank}"), Cut(16, 4, 100))
    assert {word for piece in found for word in piece.text.split()} == {"one", "two"}
    assert max(len(piece.text) for piece in found) <= 16 * 64


def test_a_long_line_without_any_structure_is_cut() -> None:
    found = pieces(Text("x" * 250_000), Cut(512, 0, 1000))
    assert sum(len(piece.text) for piece in found) == 250_000
