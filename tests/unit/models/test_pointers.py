"""What an answer is copied from is found in its prompt, token by token."""

from models.builtin.pointers import NOWHERE, copy_sources, spans, statement_ends


def placed(text: str) -> tuple[list[int], list[bool]]:
    """Return letters as tokens and which are learned; answers stand in parentheses and end with a full stop."""
    tokens, learned, inside = [], [], False
    for letter in text:
        if letter in "()":
            inside = letter == "("
            continue
        tokens.append(ord(letter))
        learned.append(inside)
    return tokens, learned


def test_answers_are_found_in_the_middle_and_at_the_end() -> None:
    assert spans([False, True, True, False, True]) == [(1, 3), (4, 5)]
    assert spans([False, False]) == []


def test_a_token_is_copied_from_the_longest_stretch_around_it() -> None:
    tokens, learned = placed("abX abcY(abc.)")
    assert copy_sources(tokens, learned) == [NOWHERE] * 8 + [4, 5, 6, NOWHERE]


def test_stretches_of_one_answer_can_lie_in_different_places() -> None:
    tokens, learned = placed("pqr-xyz(xyz!pqr.)")
    assert copy_sources(tokens, learned)[7:] == [4, 5, 6, NOWHERE, 0, 1, 2, NOWHERE]


def test_a_stretch_that_comes_twice_and_a_single_token_tell_nothing() -> None:
    tokens, learned = placed("ab ab c(abc.)")
    assert copy_sources(tokens, learned) == [NOWHERE] * len(tokens)


def test_an_earlier_answer_is_no_source() -> None:
    tokens, learned = placed("abc(bc.)?(abc.)")
    assert copy_sources(tokens, learned) == [NOWHERE] * 3 + [1, 2, NOWHERE, NOWHERE, 0, 1, 2, NOWHERE]


def test_all_of_an_answer_points_to_the_end_of_the_statement_that_it_quotes() -> None:
    tokens, learned = placed("ab! cd!(cd!.)?(no.)")
    sources = copy_sources(tokens, learned)
    assert statement_ends(sources, learned, {12: 3}) == [NOWHERE] * 7 + [6] * 4 + [NOWHERE] + [3] * 3
