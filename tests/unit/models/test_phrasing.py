"""Phrasings are composed from patterns, and some patterns never reach training."""

import random

from models.builtin.phrasing import Phrasings, expand, order, phrasings, question

CORES = Phrasings(("one", "two", "three", "four", "five"))


def test_nested_alternatives_leave_no_brackets() -> None:
    made = {expand(random.Random(seed), "[look [up|for]|find] {q}") for seed in range(40)}
    assert made == {"look up {q}", "look for {q}", "find {q}"}


def test_every_fifth_pattern_is_kept_out_of_training() -> None:
    rng = random.Random(0)
    assert {CORES.draw(rng, "train") for _ in range(200)} == {"one", "two", "three", "four"}
    assert {CORES.draw(rng, "held_out") for _ in range(20)} == {"five"}


def test_lines_and_slashes_both_separate_patterns() -> None:
    assert phrasings("a / b\n  c\n\n").patterns == ("a", "b", "c")


def test_a_sentence_of_its_own_takes_no_polite_frame() -> None:
    rng = random.Random(1)
    made = {order(rng, phrasings("?what is {q}"), "train").lower() for _ in range(200)}
    assert not [text for text in made if "please" in text or "can you" in text]


def test_an_indirect_question_follows_an_opening_phrase() -> None:
    rng = random.Random(2)
    made = [question(rng, phrasings("when does it open"), phrasings("when it opens"), "train") for _ in range(200)]
    indirect = [text for text in made if "it opens" in text]
    assert indirect
    assert not [text for text in indirect if text.lower().startswith("when it opens")]
