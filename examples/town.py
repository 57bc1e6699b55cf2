"""What the flywheel's agent is asked about: facts of places that no model has read of, and ways to ask for them."""

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
    return Fact(document, f"The {place} opens at {time}.", f"when does the {place} open", f"when the {place} opens")


FACTS = (
    _opening("leisure-guide", "pool in Saltmarsh", "8:30"),
    _opening("museum-page", "museum in Brindle", "10:15"),
    _opening("library-page", "library of Norrvik", "9:45"),
    _opening("sky-guide", "Halden observatory", "20:30"),
    Fact(
        "town-page",
        "The bakery in Thornby is run by Odile Marchetti.",
        "who runs the bakery in Thornby",
        "who runs the bakery in Thornby",
    ),
    Fact(
        "news",
        "The Halden bridge was built in 1931.",
        "when was the Halden bridge built",
        "when the Halden bridge was built",
    ),
    Fact(
        "tickets",
        "The ferry Meridian costs 12 euros.",
        "how much does the ferry Meridian cost",
        "how much the ferry Meridian costs",
    ),
    Fact(
        "crew",
        "The captain of the ferry Borealis is Lucia Ferrante.",
        "who is the captain of the ferry Borealis",
        "who the captain of the ferry Borealis is",
    ),
    Fact("bio", "Ingrid Solberg was born in Tromso.", "where was Ingrid Solberg born", "where Ingrid Solberg was born"),
    Fact(
        "atlas",
        "Castrelle has a population of 31,400 people.",
        "what is the population of Castrelle",
        "what the population of Castrelle is",
    ),
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
            asked = frame.format(direct=direct, Direct=direct[0].upper() + direct[1:], indirect=fact.indirect)
            yield fact, asked
