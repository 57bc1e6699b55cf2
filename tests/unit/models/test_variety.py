"""Further phrasings for training widen one side only: what is held out stays unseen."""

import itertools
import re

import pytest

from models.builtin import conduct, recall, small_talk, variety
from models.builtin.phrasing import Phrasings, phrasings

PAIRS = [
    *((source, variety.TALK[reply]) for source, reply in small_talk.TALK),
    *((conduct.CRIMES[code], more) for code, more in variety.CRIMES.items()),
    (conduct.BENIGN, variety.BENIGN),
    *(
        (getattr(recall, f"{about}_{way}"), getattr(variety, f"{about}_{way}"))
        for about in ("NAME", "LIVES", "CALLED", "THING")
        for way in ("TOLD", "ASKED")
    ),
]


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


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[1].patterns[0])
def test_no_held_out_phrasing_is_among_those_for_training(pair: tuple[Phrasings, Phrasings]) -> None:
    source, more = pair
    held_out = set().union(*map(expansions, source.side("held_out")))
    assert held_out
    assert not held_out & set().union(*map(expansions, [*source.side("train"), *more.patterns]))
