"""More ways to ask one question or to state a thing: by a noun, by key words, with the topic first; for training alone.

It turns phrasings into phrasings and knows no relation. It makes no phrasing that has the words of a held-out one.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable

from .phrasing import ASKING, ASKS, Phrasings, expand
from .variety_frames import BY_NOUN
from .variety_statements import AFTER, BEFORE

SHORT_FORMS = {"what's": "what is", "who's": "who is", "where's": "where is", "when's": "when is", "how's": "how is"}
NAMED = re.compile(r"(?:the )?(?P<noun>.+) (?:of|in|for|on) (?P<subject>{e})")
ORDERS = ("ask", "be", "come", "do", "expect", "give", "go", "keep", "plan", "put", "wait")
"""The first words of statements that tell the reader what to do, which stand in no frame."""
PLAIN = ("name", "time", "hour", "year", "day", "town", "location")
"""Nouns that name the kind of answer themselves, so that one asks what they are, not who, when or where."""
PLACED = re.compile(r"the (?P<noun>.+) (?P<link>in|at) (?P<place>[^ ]+)")


def texts(pattern: str) -> list[str]:
    """Return every text of a pattern whose alternatives do not nest."""
    parts = [part.split("|") for part in re.split(r"[\[\]]", pattern)]
    return ["".join(chosen) for chosen in itertools.product(*parts)]


def wording(text: str) -> frozenset[str]:
    """Return the words of a text without marks, articles and contractions; their order does not count."""
    words = re.sub(r"[^a-z0-9{}' ]", " ", text.lower()).split()
    long = " ".join(SHORT_FORMS.get(word, word) for word in words).split()
    return frozenset(long) - {"the", "a", "an", "please"}


def unlike(more: Phrasings, *sources: Phrasings) -> Phrasings:
    """Return the further phrasings but those that are held out in the sources but for one word more or less."""
    kept_out = {wording(text) for source in sources for pattern in source.side("held_out") for text in texts(pattern)}

    def near(pattern: str) -> bool:
        return any(len(wording(text) ^ known) <= 1 for text in texts(pattern) for known in kept_out)

    return Phrasings(tuple(pattern for pattern in more.patterns if not near(pattern)))


def by_noun(nouns: Phrasings, word: str, *sources: Phrasings) -> Phrasings:
    """Return direct questions for each noun such as `the price of {e}`, by full sentences and by key words.

    The beginnings are alternatives of one pattern, so that they are drawn no more often than other questions.
    """
    made = []
    for noun in nouns.patterns:
        fitting = BY_NOUN["what" if noun.split()[1] in PLAIN else word]
        ends = ("", ", please", f", {fitting[0]} it", " please", ", anyone", ", quick")
        made += [
            grouped((f"{beginning} {noun}" for beginning in fitting), *sources),
            grouped((f"{noun}{end}" for end in ends), *sources),
        ]
        if found := NAMED.fullmatch(noun):
            bare = found["noun"]
            keys = (f"{{e}} {bare}", f"{bare} {{e}}", f"{{e}}, {bare}", f"{{e}}: {bare}", f"{bare}: {{e}}")
            made.append(grouped(keys, *sources))
    return Phrasings(tuple(pattern for pattern in made if pattern))


def grouped(candidates: Iterable[str], *sources: Phrasings) -> str:
    """Return one pattern with the candidates as alternatives, without those in the words of held-out phrasings."""
    kept = unlike(Phrasings(tuple(candidates)), *sources).patterns
    return f"[{'|'.join(kept)}]" if kept else ""


def lifeless(about: str, kind: str) -> bool:
    """Return whether `it` may stand for a subject of the kind; a bare name of any kind may be a person's."""
    return kind not in ("person", "any") or about.lower().startswith("the ")


def turned(rng: random.Random, direct: Phrasings, about: str, kind: str) -> Phrasings:
    """Return direct questions about a subject as they are, with its place first, or with the subject itself first.

    "In Saltmarsh, when does the pool open", and "the pool in Saltmarsh: when does it open"; people are no `it`.
    """
    roll = rng.random()
    placed = PLACED.fullmatch(about)
    if roll < 0.25 and placed:
        short, place = f"the {placed['noun']}", f"{placed['link']} {placed['place']}"
        return direct.mapped(lambda pattern: started(pattern, f"{place}, ", short))
    if roll < 0.32 and lifeless(about, kind):
        first = rng.choice(
            ("{e}: ", "{e}, ", "about {e}: ", "I am asking about {e}: ", "as for {e}, ", "regarding {e}: ")
        )
        return direct.mapped(lambda pattern: started(pattern, first, "it"))
    return direct


def started(pattern: str, first: str, short: str) -> str:
    """Return a question that begins with its topic and names the subject by a shorter name; others stay."""
    plain = pattern.lstrip("[")
    if pattern.count("{e}") != 1 or not (ASKING.match(plain) or plain.startswith(ASKS)):
        return pattern
    if short == "it":
        pattern = pattern.replace("{e}'s", "its").replace("the {a} of {e}", "its {a}").replace("at {e}", "there")
    return first + pattern.replace("{e}", short)


def embedded(rng: random.Random, statement: str) -> str:
    """Return a statement as it is or, one time in six, with words around it such as "as everybody knows"."""
    word = statement.split(" ")[0].lower()
    if rng.random() > 1 / 6 or ":" in statement or word in ORDERS or not statement.endswith("."):
        return statement
    if rng.random() < 0.35:
        return statement[:-1] + expand(rng, rng.choice(AFTER)) + "."
    lowered = statement if statement.startswith("{") else statement[0].lower() + statement[1:]
    return expand(rng, rng.choice(BEFORE)) + lowered
