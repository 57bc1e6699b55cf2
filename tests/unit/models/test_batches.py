"""A dialog becomes ids, weights of what is learned, and the places in its prompt that its answers come from."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tokenizers import Tokenizer

from models.builtin.batches import Example, collate, encode_dialog
from models.builtin.dialogs import NOT_FOUND, Dialog, answer, plain, user
from models.builtin.pointers import ANSWERS, COPIED, ID_BEGIN, ID_END, NOWHERE, QUOTED
from models.builtin.template import with_context
from models.builtin.tokenizer import spelling

TOKENIZER = Tokenizer.from_file(str(Path(__file__).parents[3] / "models/builtin/weights/instruct/tokenizer.json"))
STEMS = spelling(TOKENIZER)[0].tolist()
CHUNKS = [("faq", "The pool in Oslo opens at 9."), ("log", "The gym in Oslo opens at 8. The gym in Oslo is red.")]


def text_of(ids: list[int]) -> str:
    return TOKENIZER.decode(ids, skip_special_tokens=False)


def answers(example: Example) -> list[int]:
    """Return the places of the tokens that are learned."""
    return [place for place, weight in enumerate(example.weights) if weight > 0]


def encoded(dialog: Dialog) -> Example:
    return encode_dialog(TOKENIZER, STEMS, dialog)


def last_told(example: Example, place: int) -> str:
    """Return the text of a passage up to a place in it."""
    return text_of(example.ids[: place + 1]).rsplit("\n", 1)[1]


def test_every_token_of_a_quotation_has_its_place_in_the_passage_that_is_quoted() -> None:
    asked = with_context("When does the gym in Oslo open?", CHUNKS)
    example = encoded(plain("rag", asked, "[log] The gym in Oslo opens at 8."))
    *copied, end = answers(example)
    places = [example.places[COPIED][token] for token in copied]
    assert text_of([example.ids[place] for place in places]) == "[log] The gym in Oslo opens at 8."
    assert places == list(range(places[0], places[0] + len(places)))
    assert example.places[COPIED][end] == NOWHERE
    assert {example.places[QUOTED][token] for token in (*copied, end)} == {places[-1]}


def test_a_refusal_points_to_the_end_of_the_passages() -> None:
    example = encoded(plain("rag_missing", with_context("Who runs the gym?", CHUNKS), NOT_FOUND))
    (place,) = {example.places[QUOTED][token] for token in answers(example)}
    assert text_of(example.ids[place - 4 : place + 2]) == "--- end of context ---<|eot_id|>"


def test_later_questions_point_into_the_passages_of_the_first() -> None:
    first, later = (f"[{name}] {text}" for name, text in (CHUNKS[0], ("log", "The gym in Oslo opens at 8.")))
    messages = (user(with_context("When does the pool open?", CHUNKS)), answer(first), user("And the gym?"))
    example = encoded(Dialog("rag_follow_up", (*messages, answer(later))))
    ends = dict.fromkeys(example.places[QUOTED][token] for token in answers(example))
    assert [last_told(example, place) for place in ends] == [first, later]


def test_the_end_of_each_statement_looks_at_the_first_question_only_if_it_answers_it() -> None:
    asked = with_context("When does the gym in Oslo open?", CHUNKS)
    example = encoded(plain("rag", asked, "[log] The gym in Oslo opens at 8."))
    looking = {token - 1: place for token, place in enumerate(example.places[ANSWERS]) if place != NOWHERE}
    told = [last_told(example, place) for place in looking]
    assert told == [f"[{name}] {text}" for name, text in (CHUNKS[0], ("log", "The gym in Oslo opens at 8."), CHUNKS[1])]
    first, question, last = looking.values()
    assert (first, last) == (0, 0)
    assert text_of(example.ids[question : question + 3]) == "?\n---"


def test_no_statement_answers_a_question_that_is_refused() -> None:
    example = encoded(plain("rag_missing", with_context("Who runs the gym?", CHUNKS), NOT_FOUND))
    assert {*example.places[ANSWERS]} == {NOWHERE, 0}


def test_tokens_of_passages_and_answers_look_at_the_id_above_them() -> None:
    example = encoded(plain("rag", with_context("When?", CHUNKS), "[log] The gym in Oslo is red."))
    begins, ends = (example.places[kind] for kind in (ID_BEGIN, ID_END))
    red = [place for place, token in enumerate(example.ids) if text_of([token]) == " red"]
    looked = [(begins[place + 1], ends[place + 1]) for place in red]
    assert [text_of(example.ids[first : last + 1]) for first, last in looked] == ["log]", "log]"]
    assert looked[0] != looked[1]
    assert begins[1] == ends[1] == NOWHERE


def test_an_argument_is_copied_from_the_words_of_the_user_in_any_spelling() -> None:
    call = '<|python_tag|>brave_search.call(query="cheap hotels in Oslo")'
    example = encoded(plain("tool_search", "Search for cheap hotels in Oslo.", call))
    places = [place for place in example.places[COPIED] if place != NOWHERE]
    assert text_of([example.ids[place] for place in places]) == " cheap hotels in Oslo"
    assert all({*example.places[kind]} == {NOWHERE} for kind in (QUOTED, ID_BEGIN, ID_END, ANSWERS))


def test_a_batch_shifts_weights_and_places_to_the_token_that_looks() -> None:
    unknown = [NOWHERE] * 3
    known = Example([3, 4, 3], [0.0, 1.0, 1.0], [[-1, -1, 0], [-1, 1, 1], unknown, unknown, unknown])
    batch = collate([known, Example([1, 2], [0.0, 0.5])], padding=9)
    assert batch.tokens.tolist() == [[3, 4, 3], [1, 2, 9]]
    assert batch.weights.tolist() == [[1.0, 1.0], [0.5, 0.0]]
    assert batch.places[COPIED].tolist() == [[-1, 0], [-1, -1]]
    assert batch.places[QUOTED].tolist() == [[1, 1], [-1, -1]]
