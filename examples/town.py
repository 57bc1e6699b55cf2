"""What the flywheel's agent is asked about: facts of a town that no model has read of, and ways to ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A sentence of a document, and the question that it answers: on its own, and within another sentence."""

    document: str
    sentence: str
    direct: str
    indirect: str

    @property
    def answer(self) -> str:
        """The right answer: the source and its sentence."""
        return f"[{self.document}] {self.sentence}"


def _opening(document: str, place: str, time: str) -> Fact:
    return Fact(document, f"{place} opens at {time}.", f"when does {place.lower()} open", f"when {place.lower()} opens")


FACTS = (
    _opening("pool-page", "The pool", "8:30"),
    _opening("museum-page", "The museum", "10:15"),
    _opening("library-page", "The library", "9:45"),
    _opening("market-page", "The market", "6:20"),
    Fact("bakery-page", "The bakery is run by Odile.", "who runs the bakery", "who runs the bakery"),
    Fact("school-page", "The school is run by Pavel.", "who runs the school", "who runs the school"),
    Fact("bridge-page", "The bridge was built in 1931.", "when was the bridge built", "when the bridge was built"),
    Fact("tower-page", "The tower was built in 1874.", "when was the tower built", "when the tower was built"),
    Fact("ferry-page", "The ferry costs 12 euros.", "how much does the ferry cost", "how much the ferry costs"),
    Fact("zoo-page", "The zoo costs 25 euros.", "how much does the zoo cost", "how much the zoo costs"),
)

ASKED = (
    "{Direct}?",
    "Please tell me {indirect}.",
    "Can you tell me {indirect}?",
    "Hi, {direct}?",
    "I want to know {indirect}.",
)
"""What the agent's users say."""

HELD_OUT = ("Do you know {indirect}?", "Hello, {direct}?", "I would like to know {indirect}.")
"""What the evaluation asks with; no user of the agent did."""


def questions(frames: tuple[str, ...]) -> Iterator[tuple[Fact, str]]:
    """Yield every fact with every way to ask for it."""
    for frame in frames:
        for fact in FACTS:
            direct = fact.direct
            asked = frame.format(direct=direct, Direct=direct.capitalize(), indirect=fact.indirect)
            yield fact, asked
