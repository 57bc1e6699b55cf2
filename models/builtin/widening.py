"""Relations with all the phrasings that training alone draws."""

from __future__ import annotations

from .asking import by_noun, unlike
from .facts import Relation
from .phrasing import Phrasings, phrasings
from .variety_questions import ASKED
from .variety_relations import MORE
from .variety_statements import STATED

WORDS = {"person": "who", "clock": "when", "date": "when", "year": "when", "city": "where"}
"""The question word for a noun, by the kind of value; `what` for any other kind."""


def widened(relation: Relation) -> Relation:
    """Return the relation with the further phrasings; none is held out but for one word more or less."""
    key = relation.direct.patterns[0]
    statements, direct, indirect = map(phrasings, MORE[key])
    asked, clauses, nouns = map(phrasings, ASKED[key])
    named = by_noun(nouns, WORDS.get(relation.value, "what"), relation.direct, relation.indirect)
    return Relation(
        relation.subject,
        relation.value,
        further(relation.statements, statements, phrasings(STATED[key])),
        further(relation.direct, direct, asked, named),
        further(relation.indirect, indirect, clauses, nouns),
    )


def further(source: Phrasings, *more: Phrasings) -> Phrasings:
    """Return the phrasings with others for training, each of them once."""
    known = set(source.patterns)
    for added in more:
        kept = tuple(pattern for pattern in unlike(added, source).patterns if pattern not in known)
        source, known = source.extended(Phrasings(kept)), known | set(kept)
    return source
