"""One question has many forms: by a noun, by key words, with the place or the topic first, and with words around it."""

import random
import re

import pytest

from models.builtin.asking import by_noun, embedded, lifeless, started, turned, unlike, wording
from models.builtin.dialogs import TRAINING
from models.builtin.facts import Relation
from models.builtin.passages import Fact, fact, short
from models.builtin.phrasing import ASKING, Phrasings, framed, phrasings
from models.builtin.relations import RELATIONS
from models.builtin.variety_frames import BEFORE_CLAUSES, BEFORE_NOUNS

DIRECT = phrasings("when does {e} open / who runs {e} / tell me who runs {e}")


def test_the_order_of_words_articles_and_contractions_do_not_tell_phrasings_apart() -> None:
    assert wording("What's the price of {e}, please?") == wording("of {e} what is price")
    assert wording("the price of {e}") != wording("the price of {v}")


def test_what_is_held_out_but_for_one_word_is_left_out() -> None:
    source = phrasings("a {e} / b {e} / c {e} / d {e} / who is the head of {e}")
    more = phrasings("who's head of {e} / so who is the head of {e} / the head of {e}")
    assert unlike(more, source) == Phrasings(("the head of {e}",))


def test_a_noun_is_asked_for_in_sentences_and_by_key_words() -> None:
    made = by_noun(phrasings("the price of {e}"), "what", DIRECT).draw
    drawn = {made(random.Random(seed), "train") for seed in range(300)}
    assert {"what is the price of {e}", "the price of {e}, please", "{e} price", "price {e}"} <= drawn


def test_a_noun_whose_question_is_held_out_is_not_asked_for_in_its_words() -> None:
    source = phrasings("a {e} / b {e} / c {e} / d {e} / what is the price of {e}")
    made = by_noun(phrasings("the price of {e}"), "what", source)
    drawn = {made.draw(random.Random(seed), "train") for seed in range(300)}
    assert not drawn & {"what is the price of {e}", "what's the price of {e}", "so what is the price of {e}"}


def test_the_place_of_a_subject_can_come_first() -> None:
    drawn = {turned(random.Random(seed), DIRECT, "the pool in Saltmarsh", "place").patterns for seed in range(600)}
    assert ("in Saltmarsh, when does the pool open", "in Saltmarsh, who runs the pool", "tell me who runs {e}") in drawn
    assert ("{e}: when does it open", "{e}: who runs it", "tell me who runs {e}") in drawn
    assert DIRECT.patterns in drawn


def test_people_and_bare_names_of_any_kind_are_never_called_it() -> None:
    assert not lifeless("Ada Vance", "person")
    assert not lifeless("Ada Vance", "any")
    assert lifeless("Saltmarsh", "place")
    assert lifeless("the Vance 3", "any")


def test_its_stands_for_the_name_of_the_topic() -> None:
    assert started("what is the {a} of {e}", "{e}: ", "it") == "{e}: what is its {a}"
    assert started("what is {e}'s {a}", "{e}: ", "it") == "{e}: what is its {a}"


def test_a_statement_keeps_its_slots_within_what_is_put_around_it() -> None:
    drawn = {embedded(random.Random(seed), "The pool of {e} opens at {v}.") for seed in range(400)}
    assert "The pool of {e} opens at {v}." in drawn
    assert any(text.endswith(" the pool of {e} opens at {v}.") for text in drawn)
    assert all("pool of {e} opens at {v}" in text and text.endswith(".") and "[" not in text for text in drawn)


def test_an_order_or_a_list_takes_no_frame() -> None:
    for statement in ("Come to {e} at {v}.", "Closing time of {e}: {v}."):
        assert {embedded(random.Random(seed), statement) for seed in range(100)} == {statement}


def test_a_clause_and_a_noun_follow_words_that_fit_them() -> None:
    rng = random.Random(3)
    direct = phrasings("when does it open")
    clauses = [framed(rng, direct, phrasings("when it opens")) for _ in range(300)]
    nouns = [framed(rng, direct, phrasings("the opening time")) for _ in range(300)]
    assert not [text for text in clauses if "it opens" in text and not has_one(text, BEFORE_CLAUSES, "when it opens")]
    assert not [text for text in nouns if "the open" in text and not has_one(text, BEFORE_NOUNS, "the opening time")]


def has_one(text: str, beginnings: tuple[str, ...], core: str) -> bool:
    return any(f"{beginning} {core}" in text.lower() for beginning in (entry.lower() for entry in beginnings))


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.direct.patterns[0])
def test_a_further_statement_holds_subject_and_value_and_a_question_holds_the_subject_alone(relation: Relation) -> None:
    for pattern in relation.statements.side("train"):
        assert {"{e}", "{v}"} == set(re.findall(r"{\w}", pattern)), pattern
    for pattern in (*relation.direct.side("train"), *relation.indirect.side("train")):
        assert {"{e}"} == set(re.findall(r"{\w}", pattern)), pattern


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.direct.patterns[0])
def test_an_indirect_form_is_a_noun_or_a_clause_in_the_order_of_a_statement(relation: Relation) -> None:
    for pattern in relation.indirect.side("train"):
        clause = ASKING.match(pattern)
        assert clause or pattern.startswith(("the ", "{e}")), pattern
        rest = pattern[clause.end() :] if clause else ""
        assert not re.match(r" (do|does|did|will|can|was|were) {e}", rest), pattern


def asked_about(about: str, topic: str, attribute: str = "") -> Fact:
    direct = phrasings(f"when does {about} open / tell me when {about} opens")
    return Fact("It is so.", direct, Phrasings(()), about, topic, attribute, True)


def test_a_follow_up_leaves_out_what_the_question_before_has_said() -> None:
    pool, gym = asked_about("the pool in Ab", "opens"), asked_about("the pool in Cd", "opens")
    drawn = {short(random.Random(seed), pool, gym) for seed in range(4000)}
    assert {"And in Cd?", "What about the pool in Cd?", "and in Cd?"} <= drawn
    assert all(text and "Cd" in text and "Ab" not in text for text in drawn)


def test_a_follow_up_on_the_same_subject_calls_it_by_a_pronoun_or_names_the_attribute_alone() -> None:
    before = asked_about("the pool in Ab", "price", "price")
    by_relation = {short(random.Random(seed), before, asked_about("the pool in Ab", "opens")) for seed in range(900)}
    by_attribute = {
        short(random.Random(seed), before, asked_about("the pool in Ab", "age", "age")) for seed in range(300)
    }
    assert "And when does it open?" in by_relation
    assert {"And its age?", "What about the age?"} <= by_attribute
    assert not [text for text in by_relation | by_attribute if text and "Ab" in text]


def test_nothing_is_left_out_between_facts_that_share_nothing() -> None:
    assert short(random.Random(1), asked_about("the pool in Ab", "opens"), asked_about("the gym", "age", "age")) is None


def test_a_drawn_fact_states_what_its_questions_ask_for() -> None:
    rng = random.Random(8)
    for _ in range(300):
        made, about, _, _ = fact(rng, TRAINING)
        assert about.lower() in made.statement.lower() or about.lower().split()[-1] in made.statement.lower()
        assert "{" not in made.statement + made.direct.draw(rng, "train") + made.indirect.draw(rng, "train")
