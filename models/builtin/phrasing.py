"""Composition of phrasings: patterns with alternatives, and request frames around a question or an order.

A pattern is text with `[a|b|]` alternatives (they nest) and `{slots}`. Every fifth pattern of a list, counted from
the fifth, is held out of training. It knows nothing about names or skills.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .variety_frames import BEFORE_CLAUSES, BEFORE_NOUNS, CLOSINGS, OPENINGS, OPENINGS_OF_QUESTIONS

Wording = Literal["train", "held_out"]

GREETINGS = (
    "",
    "",
    "",
    "",
    "",
    "",
    "Hi, ",
    "Hello, ",
    "Hey, ",
    "Good morning, ",
    "Hi there, ",
    "Hey there! ",
    "OK, ",
    "So, ",
    "Well, ",
    "Excuse me, ",
    "Hello! ",
    "Right, ",
    "Good evening, ",
    "Sorry, ",
    "Now, ",
    "And ",
)
INDIRECT = (
    "can you tell me",
    "could you tell me",
    "please tell me",
    "tell me",
    "do you know",
    "I want to know",
    "I would like to know",
    "I'd like to know",
    "I need to know",
    "do you happen to know",
    "could you say",
    "can you find out",
    "please find out",
    "let me know",
    "I am wondering",
    "I wonder",
    "any idea",
    "would you tell me",
    "I am trying to find out",
    "remind me",
    "please let me know",
    "can you say",
    "explain",
    "I forgot",
    "help me find out",
    "I can't remember",
    "could you please tell me",
    "can you remind me",
    "we need to know",
    "do we know",
)
ORDERS = (
    "",
    "",
    "",
    "",
    "please ",
    "can you ",
    "could you ",
    "can you please ",
    "I want you to ",
    "I need you to ",
    "would you ",
    "I'd like you to ",
    "could you please ",
    "go ahead and ",
    "kindly ",
    "let's ",
    "I would like you to ",
    "you should ",
    "now ",
    "would you please ",
    "please could you ",
    "will you ",
)
TAILS = (
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    " please",
    ", please",
    ", thanks",
    " for me",
    " now",
    " for me please",
    ", thank you",
    " today",
    " right now",
    " again",
)

# what training alone may draw besides
MORE: dict[tuple[str, ...], tuple[str, ...]] = {
    GREETINGS: (
        "By the way, ",
        "Listen, ",
        "Quick question: ",
        "Oh, ",
        "Good afternoon, ",
        "Look, ",
        "One more thing: ",
        "Next, ",
        "Good day, ",
        "One question: ",
        "Hey you, ",
        "Also, ",
        "But ",
        "Hm, ",
    ),
    INDIRECT: (
        "I want you to tell me",
        "could you find out",
        "I have to know",
        "do you remember",
        "can you look up",
        "do you have an idea",
        "say",
        "we would like to know",
        "is it known",
        "please say",
        "I am asking",
        "you may know",
        "have you got an idea",
        "it would help to know",
        "who can tell me",
    ),
    ORDERS: (
        "I ask you to ",
        "be so kind and ",
        "quickly ",
        "try to ",
        "help me to ",
        "we want you to ",
        "can we ",
        "please help me and ",
        "I need to ",
        "next, ",
        "do me a favour and ",
        "could we ",
    ),
    TAILS: (
        " if you can",
        " quickly",
        ", would you",
        " if possible",
        ", I need it",
        ", thanks a lot",
        " this time",
        " too",
        ", if you please",
        " first",
    ),
}


ASKING = re.compile(
    r"(?:^|(?<=[,:] ))"
    r"((at|on|in|to|for|from|by|of|with|until|till|since|through|near|under|up to|over|after|past|out of|along) )?"
    r"(what|what's|which|who|who's|whom|whose|when|where|where's|how|whereabouts)\b"
)
"""Where a question begins, or the clause of an indirect one: at the first word or after what it is about."""
ASKS = ("can ", "could ", "would ", "will ", "do ", "does ", "did ", "is ", "are ", "may ", "might ", "have ")
"""The beginnings of what asks for an answer by its own form."""


def held_out(index: int) -> bool:
    """Return whether the pattern at this place of a list is kept out of training."""
    return index % 5 == 4


@dataclass(frozen=True)
class Phrasings:
    """A list of patterns for one intent, divided into training and held-out ones; `more` are for training alone."""

    patterns: tuple[str, ...]
    more: tuple[str, ...] = ()

    def side(self, wording: Wording) -> list[str]:
        """Return the patterns of one side."""
        wanted = wording == "held_out"
        found = [pattern for index, pattern in enumerate(self.patterns) if held_out(index) == wanted]
        return found if wanted else [*found, *self.more]

    def mapped(self, change: Callable[[str], str]) -> Phrasings:
        """Return the same phrasings, each on its side, with a change made to every pattern."""
        return Phrasings(tuple(map(change, self.patterns)), tuple(map(change, self.more)))

    def extended(self, other: Phrasings) -> Phrasings:
        """Return these phrasings with others that only training may draw."""
        return Phrasings(self.patterns, (*self.more, *other.patterns))

    def draw(self, rng: random.Random, wording: Wording) -> str:
        """Return one expanded pattern of the given side, slots left in place."""
        return expand(rng, rng.choice(self.side(wording) or list(self.patterns)))


def words(text: str) -> list[str]:
    """Return the words of a text; an underscore stands for a space inside one."""
    return [word.replace("_", " ") for word in text.split()]


def phrasings(text: str) -> Phrasings:
    """Return the phrasings written one per line or separated by ` / `."""
    lines = [part.strip() for line in text.strip().splitlines() for part in line.split(" / ")]
    return Phrasings(tuple(line for line in lines if line))


def expand(rng: random.Random, pattern: str) -> str:
    """Replace each `[a|b]` by one of its alternatives, innermost first."""
    while "[" in pattern:
        start = pattern.rindex("[")
        end = pattern.index("]", start)
        pattern = pattern[:start] + rng.choice(pattern[start + 1 : end].split("|")) + pattern[end + 1 :]
    return pattern


def side_of(rng: random.Random, choices: tuple[str, ...], wording: Wording) -> str:
    """Draw a filler: training sees four of five and more, held-out wording sees all but those."""
    if wording == "held_out":
        return rng.choice(choices)
    drawn = rng.choice([choice for index, choice in enumerate(choices) if not held_out(index)])
    more = MORE.get(choices, ()) if drawn and rng.random() < 0.4 else ()
    return rng.choice(more) if more else drawn


def capitalized(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def question(rng: random.Random, direct: Phrasings, indirect: Phrasings, wording: Wording) -> str:
    """Return a question in direct or indirect form with greeting, casing and mark as people vary them."""
    if wording == "train" and rng.random() < 0.4:
        return framed(rng, direct, indirect)
    greeting = side_of(rng, GREETINGS, wording)
    if rng.random() < 0.65 or not indirect.patterns:
        core = direct.draw(rng, wording)
        mark = rng.choice(("?", "?", "?", "?", "?", ""))
    else:
        core = f"{side_of(rng, INDIRECT, wording)} {indirect.draw(rng, wording)}"
        mark = rng.choice(("?", "?", "?", ".", ""))
    core = greeting + core if greeting and rng.random() < 0.7 else greeting + capitalized(core)
    return (capitalized(core) if rng.random() < 0.8 else core) + mark


def framed(rng: random.Random, direct: Phrasings, indirect: Phrasings) -> str:
    """Return a question with more around it than a greeting, as training alone sees it."""
    direct_one = rng.random() < 0.6 or not indirect.patterns
    core = (direct if direct_one else indirect).draw(rng, "train")
    asking = ASKING.search(core) is not None
    if direct_one:
        closing = rng.choice(CLOSINGS) if asking else rng.choice(("?", ".", ""))
    else:
        before = rng.choice(BEFORE_CLAUSES if ASKING.match(core) else BEFORE_NOUNS)
        closing = rng.choice(("?", "?", "") if before.startswith(ASKS) else (".", ".", ""))
        core = f"{before} {core}"
    opening = rng.choice(OPENINGS_OF_QUESTIONS if direct_one and asking else OPENINGS) * (rng.random() < 0.6)
    if opening.endswith((". ", "! ", "? ")) and rng.random() < 0.8:
        core = capitalized(core)
    return (capitalized(opening + core) if rng.random() < 0.75 else opening + core) + closing


def order(rng: random.Random, cores: Phrasings, wording: Wording) -> str:
    """Return an order such as "Please look up {topic}, thanks." around one of the core phrasings.

    A core that begins with `?` is a full sentence of its own and takes no polite frame.
    """
    greeting, polite, tail = (side_of(rng, fillers, wording) for fillers in (GREETINGS, ORDERS, TAILS))
    core = cores.draw(rng, wording)
    if core.startswith("?"):
        core, polite, tail = core[1:], "", ""
    text = greeting + polite + core + tail
    asks = polite.startswith(("can", "could", "would", "will", "please could")) or core.startswith(
        ("what", "which", "is ", "do ")
    )
    mark = rng.choice(("?", "?", ".", "")) if asks else rng.choice((".", ".", "", "!"))
    return (capitalized(text) if rng.random() < 0.8 else text) + mark
