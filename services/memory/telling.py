"""How what a document of a graph bank tells becomes rows beside the row of its revision."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection

from services.memory import graph
from services.memory.tables import ENTITIES, PIECES, RELATIONS


def digest(name: str) -> str:
    """Return what an index holds in the place of a name, which may be too long for one."""
    return sha256(name.encode()).hexdigest()


def tell(connection: Connection, bank: str, revision: str, told: graph.Told) -> None:
    """Write what a document tells, beside the row of its revision."""
    owner = {"revision": revision, "bank": bank}
    entities = [
        {
            **owner,
            "key_hash": digest(graph.key(entity.name)),
            "words_hash": digest(graph.words(entity.name)),
            "entity": entity.SerializeToString(deterministic=True),
        }
        for entity in told.entities
    ]
    relations = [
        {
            **owner,
            "position": position,
            "source_hash": digest(graph.key(relation.source)),
            "relation": relation.relation,
            "target_hash": digest(graph.key(relation.target)),
            "source": relation.source,
            "target": relation.target,
        }
        for position, relation in enumerate(told.relations)
    ]
    pieces = [
        {
            "revision": revision,
            "position": piece.index,
            "text": piece.text,
            "start": piece.start,
            "end": piece.end,
            "tokens": piece.tokens,
            "page": piece.page,
            "section": piece.section,
        }
        for piece in told.pieces
    ]
    for table, rows in ((ENTITIES, entities), (RELATIONS, relations), (PIECES, pieces)):
        if rows:
            connection.execute(table.insert(), rows)
