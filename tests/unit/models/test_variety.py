"""Further phrasings for training widen one side only: what is held out stays unseen."""

import itertools
import re

import pytest

from models.builtin import (
    catalogue,
    coding,
    conduct,
    facts,
    functions,
    guard,
    passages,
    people,
    phrasing,
    places,
    queries,
    recall,
    small_talk,
    things,
    variety,
    variety_attributes,
    variety_conduct,
    variety_frames,
    variety_orders,
    variety_questions,
    variety_relations,
    variety_statements,
    variety_world,
    widening,
)
from models.builtin.asking import wording
from models.builtin.phrasing import Phrasings, phrasings

RELATIONS = (*places.PLACES, *things.THINGS, *people.PEOPLE)
PAIRS = [
    *((source, variety.TALK[reply]) for source, reply in small_talk.TALK),
    *((conduct.CRIMES[code], more) for code, more in variety_conduct.CRIMES.items()),
    (conduct.BENIGN, variety_conduct.BENIGN),
    (guard.COMPLIANT, variety_conduct.COMPLIANT),
    (guard.REFUSALS, variety_conduct.REFUSALS),
    *(
        (getattr(recall, f"{about}_{way}"), getattr(variety, f"{about}_{way}"))
        for about in ("NAME", "LIVES", "CALLED", "THING")
        for way in ("TOLD", "ASKED")
    ),
    (queries.WEB_ORDERS, variety_orders.WEB),
    (queries.MEMORY_ORDERS, variety_orders.MEMORY),
    (functions.GENERIC, variety_orders.GENERIC),
    (passages.SUMMARY_ORDERS, variety_orders.SUMMARY),
    *((kind.asked, variety_orders.FUNCTIONS[kind.names.partition("|")[0]]) for kind in catalogue.FUNCTIONS),
    *((task.asked, variety_orders.TASKS[task.code]) for task in coding.TASKS),
    *(
        (source, phrasings(more))
        for relation in RELATIONS
        for key in (relation.direct.patterns[0],)
        for source, more in (
            *zip((relation.statements, relation.direct, relation.indirect), variety_relations.MORE[key], strict=True),
            (relation.statements, variety_statements.STATED[key]),
            *zip((relation.direct, relation.indirect, relation.indirect), variety_questions.ASKED[key], strict=True),
        )
    ),
    *(
        (getattr(facts, f"{about}_{way}"), Phrasings(getattr(variety_attributes, about)[place].more))
        for about in ("ATTRIBUTE", "ROLE", "VERB")
        for place, way in enumerate(("STATEMENTS", "DIRECT", "INDIRECT"))
    ),
    *((Phrasings(source), Phrasings(more)) for source, more in phrasing.MORE.items()),
    (Phrasings(phrasing.INDIRECT), Phrasings(variety_frames.BEFORE_CLAUSES)),
    (Phrasings(phrasing.INDIRECT), Phrasings(variety_frames.BEFORE_NOUNS)),
    (Phrasings(phrasing.GREETINGS), Phrasings(variety_frames.OPENINGS_OF_QUESTIONS)),
    (Phrasings(phrasing.TAILS), Phrasings(variety_frames.CLOSINGS)),
]
WORLD = [(queries.WORLD_ASKED, variety_world.ASKED), (queries.WORLD_ASKED, variety_world.OPEN)]


def expansions(pattern: str) -> set[str]:
    """Return every text of a pattern whose alternatives do not nest, in lower case without marks."""
    parts = [part.split("|") for part in re.split(r"[\[\]]", pattern)]
    texts = ("".join(chosen) for chosen in itertools.product(*parts))
    return {re.sub(r"[^a-z{}' ]", "", text.lower()).strip() for text in texts}


def test_what_is_added_for_training_is_never_drawn_as_held_out() -> None:
    source = phrasings("a / b / c / d / e").extended(phrasings("f / g / h / i / j"))
    assert source.side("train") == ["a", "b", "c", "d", "f", "g", "h", "i", "j"]
    assert source.side("held_out") == ["e"]


def test_a_change_of_every_pattern_keeps_the_sides() -> None:
    source = phrasings("a / b / c / d / e").extended(phrasings("f")).mapped(str.upper)
    assert source == Phrasings(("A", "B", "C", "D", "E"), ("F",))


@pytest.mark.parametrize("pair", [*PAIRS, *WORLD], ids=lambda pair: pair[1].patterns[0])
def test_no_held_out_phrasing_is_among_those_for_training(pair: tuple[Phrasings, Phrasings]) -> None:
    source, more = pair
    held_out = set().union(*map(expansions, source.side("held_out")))
    assert more.patterns
    # no filler at all is one on either side
    assert not (held_out - {""}) & set().union(*map(expansions, [*source.side("train"), *more.patterns]))


@pytest.mark.parametrize("pair", [*PAIRS, *WORLD], ids=lambda pair: pair[1].patterns[0])
def test_no_phrasing_for_training_has_just_the_words_of_a_held_out_one(pair: tuple[Phrasings, Phrasings]) -> None:
    source, more = pair
    held_out = {wording(text) for pattern in source.side("held_out") for text in expansions(pattern)} - {frozenset()}
    assert not [pattern for pattern in more.patterns if held_out & {wording(text) for text in expansions(pattern)}]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.direct.patterns[0])
def test_a_widened_relation_keeps_what_is_held_out_to_itself(relation: facts.Relation) -> None:
    wide = widening.widened(relation)
    for source, made in (
        (relation.statements, wide.statements),
        (relation.direct, wide.direct),
        (relation.indirect, wide.indirect),
    ):
        assert made.side("held_out") == source.side("held_out")
        assert len(made.more) == len(set(made.more))
        assert len(made.side("train")) >= 2.5 * len(source.side("train"))
        held_out = {wording(text) for pattern in source.side("held_out") for text in expansions(pattern)}
        added = {wording(text) for pattern in made.more for text in expansions(pattern)}
        assert not [(one, other) for one in held_out for other in added if len(one ^ other) <= 1]


# requests to judge are drawn with the same values whatever they are
@pytest.mark.parametrize(
    "pair",
    [pair for pair in PAIRS if pair[0] not in (conduct.BENIGN, *conduct.CRIMES.values())],
    ids=lambda pair: pair[1].patterns[0],
)
def test_what_is_added_has_the_slots_of_what_was_there(pair: tuple[Phrasings, Phrasings]) -> None:
    source, more = pair
    known = {slot for pattern in source.patterns for slot in re.findall(r"{\w}", pattern)}
    assert {slot for pattern in more.patterns for slot in re.findall(r"{\w}", pattern)} <= known
