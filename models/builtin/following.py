"""Short questions that go on from the one before, for training alone, such as "And when does it close?"."""

from __future__ import annotations

import random

from .asking import PLACED
from .phrasing import ASKING, Phrasings, expand

NEXT_SUBJECT = (
    "and {e}",
    "what about {e}",
    "and what about {e}",
    "how about {e}",
    "and how about {e}",
    "and for {e}",
    "and with {e}",
    "ok, and {e}",
    "okay, what about {e}",
    "thanks, and {e}",
    "thanks, and what about {e}",
    "now {e}",
    "now the same for {e}",
    "the same for {e}",
    "the same question for {e}",
    "same question, but {e}",
    "and the same for {e}",
    "then what about {e}",
    "and if I ask about {e}",
    "I meant {e}",
    "no, I meant {e}",
    "sorry, I meant {e}",
    "not that one, {e}",
    "{e} too, please",
    "{e} as well",
    "also {e}",
    "{e}, too",
    "and then {e}",
    "tell me the same about {e}",
    "could you tell me the same about {e}",
    "can you say the same for {e}",
    "I would like to know that for {e} too",
    "I also need that for {e}",
    "is it known for {e}, too",
    "next: {e}",
    "good, and {e}",
    "I see. And {e}",
    "{e}",
)
NEXT_PLACE = (
    "and {l}",
    "what about {l}",
    "and what about the one {l}",
    "what about the one {l}",
    "how about {l}",
    "and the one {l}",
    "ok, and {l}",
    "thanks, and {l}",
    "the same {l}",
    "and how is it {l}",
    "how is that {l}",
    "now {l}",
    "and the {k} {l}",
    "is it the same {l}",
    "not that one, the one {l}",
    "I meant {l}",
)
NEXT_ATTRIBUTE = (
    "and the {a}",
    "and its {a}",
    "what about the {a}",
    "what about its {a}",
    "and what about the {a}",
    "how about the {a}",
    "and what is its {a}",
    "what is its {a}",
    "what's its {a}",
    "which {a} does it have",
    "and which {a} does it have",
    "ok, and the {a}",
    "thanks, and the {a}",
    "the {a} too, please",
    "the {a} as well",
    "I also need the {a}",
    "I need its {a}, too",
    "now the {a}",
    "and then its {a}",
    "can you tell me its {a}, too",
    "could I also have the {a}",
    "tell me its {a} as well",
    "does it have any {a}",
    "also, the {a}",
    "and do you know the {a}",
    "{a}",
)
LINKS = (
    "and ",
    "and ",
    "ok, and ",
    "okay, ",
    "thanks, and ",
    "thank you, ",
    "then ",
    "also, ",
    "good, and ",
    "I see, ",
    "now ",
    "so ",
    "",
    "by the way, ",
    "tell me also, ",
    "one more thing: ",
)
ENDS = ("?", "?", "?", "?", "", ".")


def next_subject(rng: random.Random, before: str, about: str) -> str:
    """Return the question of before for another subject, by the place alone where only that differs."""
    old, new = PLACED.fullmatch(before), PLACED.fullmatch(about)
    if old and new and old["noun"] == new["noun"] and rng.random() < 0.7:
        text = rng.choice(NEXT_PLACE).replace("{l}", f"{new['link']} {new['place']}").replace("{k}", new["noun"])
    else:
        text = rng.choice(NEXT_SUBJECT).replace("{e}", about)
    return text + rng.choice(ENDS)


def next_attribute(rng: random.Random, attribute: str) -> str:
    """Return a question for another attribute of the subject of before."""
    return rng.choice(NEXT_ATTRIBUTE).replace("{a}", attribute) + rng.choice(ENDS)


def next_relation(rng: random.Random, direct: Phrasings, about: str) -> str | None:
    """Return one of the questions with `it` for the subject of before, or None where none can be put so."""
    fitting = [
        pattern
        for pattern in direct.side("train")
        if pattern.count(about) == 1 and ASKING.match(pattern.lstrip("[")) and f"{about}'s" not in pattern
    ]
    if not fitting:
        return None
    asked = expand(rng, rng.choice(fitting)).replace(f"at {about}", "there").replace(about, "it")
    return rng.choice(LINKS) + asked + rng.choice(ENDS)
