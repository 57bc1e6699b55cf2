"""Reading entities and relations out of a text by a language model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

from llamastack.memory.v1.graph_pb2 import GraphEntity, GraphRelation
from mesh.errors import WrongState
from services.memory.store import Piece

INSTRUCTIONS: Final = (
    "List the entities that the user's text names, and the relations between them that the text states. "
    "Answer with JSON alone: "
    '{"entities": [{"name": "...", "kind": "..."}], '
    '"relations": [{"source": "...", "relation": "...", "target": "..."}]}. '
    "Use names as the text spells them, short relations such as works_for, and nothing that the text does not say."
)
_MOST: Final = 64
"""Entities and relations of one piece, each; a model that repeats itself comes to an end so."""
MOST_NAME: Final = 1024
MOST_WORD: Final = 256
"""Characters of names, and of kinds and relations, as the contract has them."""


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _items(members: dict[str, Any]) -> dict[str, Any]:
    item = {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}
    return {"type": "array", "items": item, "maxItems": _MOST}


SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "entities": _items({"name": _text(MOST_NAME), "kind": _text(MOST_WORD)}),
        "relations": _items({"source": _text(MOST_NAME), "relation": _text(MOST_WORD), "target": _text(MOST_NAME)}),
    },
    "required": ["entities", "relations"],
    "additionalProperties": False,
}


class Writer(Protocol):
    """A language model that answers within a JSON schema."""

    async def write(self, model: str, instructions: str, text: str, schema: dict[str, Any]) -> str:
        """Return the model's answer to a text."""


class Extraction:
    """Asks a model piece by piece."""

    def __init__(self, writer: Writer) -> None:
        """Keep the model."""
        self._writer = writer

    async def read(self, model: str, pieces: Sequence[Piece]) -> tuple[list[GraphEntity], list[GraphRelation]]:
        """Return the entities and relations of a document.

        Raises:
            MeshError: the model can't be asked, or WrongState where it answers with anything else.
        """
        entities: list[GraphEntity] = []
        relations: list[GraphRelation] = []
        for piece in pieces:
            answer = await self._writer.write(model, INSTRUCTIONS, piece.text, SCHEMA)
            try:
                found = json.loads(answer)
                some = [GraphEntity(name=_taken(one["name"], MOST_NAME), kind=one["kind"]) for one in found["entities"]]
                others = [
                    GraphRelation(
                        source=_taken(one["source"], MOST_NAME),
                        relation=_taken(one["relation"], MOST_WORD),
                        target=_taken(one["target"], MOST_NAME),
                    )
                    for one in found["relations"]
                ]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise WrongState(f"model {model} did not answer with entities and relations") from error
            entities += [one for one in some if one.name and len(one.kind) <= MOST_WORD]
            relations += [one for one in others if one.source and one.relation and one.target]
        return entities, relations


def _taken(name: Any, most: int) -> str:
    """Return a name that the contract takes, empty for one that it does not."""
    bare = str(name).replace("\0", " ").strip()
    return bare if len(bare) <= most else ""
