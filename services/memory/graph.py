"""Entities and relations of a document: what they are called, and how texts name them. Knows no database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from llamastack.memory.v1.document_pb2 import MemoryBankDocument
from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from mesh.errors import InvalidField
from services.memory.store import Piece

NAME_WORDS: Final = 12
"""Words of a name that a text can name an entity by; longer names are found by ``params.entities`` alone."""
_WORD: Final = re.compile(r"\w+")
_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Told:
    """What a document of a graph bank tells: its entities, the ends of its relations included, and its pieces."""

    entities: Sequence[GraphEntity]
    relations: Sequence[GraphRelation]
    pieces: Sequence[Piece]


def key(name: str) -> str:
    """Return what a name is told apart by: case and white space make no difference."""
    return _SPACE.sub(" ", name).strip().casefold()


def words(text: str) -> str:
    """Return the words of a text by which it can name entities, joined by spaces."""
    return " ".join(_WORD.findall(text.casefold()))


def spans(text: str) -> Iterator[str]:
    """Yield every run of words of a text that may be an entity's name."""
    found = words(text).split()
    for begin in range(len(found)):
        for end in range(begin + 1, min(begin + NAME_WORDS, len(found)) + 1):
            yield " ".join(found[begin:end])


def names(text: str, name_words: str) -> bool:
    """Return whether a text, given by its :func:`words`, names an entity."""
    return bool(name_words) and f" {name_words} " in f" {text} "


def check(document: MemoryBankDocument) -> None:
    """Refuse names that are blank or that no database takes.

    Raises:
        InvalidField: the path names the first one.
    """
    for index, entity in enumerate(document.entities):
        _check(f"entities[{index}].name", entity.name)
    for index, relation in enumerate(document.relations):
        for member in ("source", "relation", "target"):
            _check(f"relations[{index}].{member}", getattr(relation, member))


def told(entities: Sequence[GraphEntity], relations: Sequence[GraphRelation], pieces: Sequence[Piece]) -> Told:
    """Return what a document tells, each entity once and the ends of the relations among them."""
    found: dict[str, GraphEntity] = {}
    for entity in entities:
        merge(found.setdefault(key(entity.name), GraphEntity(name=entity.name)), entity)
    distinct: dict[tuple[str, str, str], GraphRelation] = {}
    for relation in relations:
        for name in (relation.source, relation.target):
            found.setdefault(key(name), GraphEntity(name=name))
        which = (key(relation.source), relation.relation, key(relation.target))
        made = GraphRelation(source=relation.source, relation=relation.relation, target=relation.target)
        distinct.setdefault(which, made)
    return Told(list(found.values()), list(distinct.values()), pieces)


def merge(known: GraphEntity, other: GraphEntity) -> None:
    """Add to an entity what is known of it from elsewhere, which counts where both say something."""
    if other.kind:
        known.kind = other.kind
    for name, value in other.properties.items():
        known.properties[name].CopyFrom(value)


def _check(path: str, name: str) -> None:
    if "\0" in name or not name.strip():
        raise InvalidField(path, "a name with a visible character and without the character of code 0 is needed")
