"""What an owner makes in every area of the contracts, and how a request names it. A new area is one row here.

In bodies, a string that begins with ``$`` stands for what a step has kept of its answer under that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MARK = "acme-mark"
"""A text in everything that the owner makes; no answer to anybody else may hold it."""

EMPTY: Mapping[str, str] = {}


@dataclass(frozen=True)
class Step:
    """A call by which the owner makes something; ``keep`` names fields of the answer and what they are kept as.

    The call may fail at what lies behind the service (there is no model here) where ``must`` is False.
    """

    rpc: str
    body: Mapping[str, Any]
    keep: Mapping[str, str] = field(default_factory=dict)
    must: bool = True


@dataclass(frozen=True)
class Area:
    """One area: ``fields`` fills fields by name in every request, ``bodies`` adds the rest by RPC.

    ``own``: RPCs that make something of the caller's own, whoever that is. ``shared``: RPCs over what belongs to the
    deployment or to nobody, with the reason. ``unmade``: RPCs that name what the owner could not make here, with the
    reason; the owner too gets NOT_FOUND.
    """

    steps: tuple[Step, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    bodies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    shared: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    unmade: Mapping[str, str] = field(default_factory=lambda: EMPTY)


GENERATES = "generates with a model of the deployment and keeps nothing"
GENERATING = (
    *("Completion", "StreamCompletion", "ChatCompletion", "StreamChatCompletion"),
    *("BatchCompletion", "StreamBatchCompletion", "BatchChatCompletion", "StreamBatchChatCompletion"),
    *("Embeddings", "Score"),
)
OF_ALL = "lists what belongs to the deployment"
DOCUMENT = {"document_id": "acme-document", "content": {"encoded": f"the cat of {MARK}"}}
TALK = [{"user": {"content": {"text": "hi"}}}]

AREAS: Mapping[str, Area] = {
    "memory": Area(
        steps=(
            Step("CreateMemoryBank", {"bank_id": "acme-bank", "bank_name": MARK, "config": {"keyword": {}}}),
            Step("InsertDocuments", {"bank_id": "acme-bank", "documents": [DOCUMENT]}),
        ),
        fields={"bank_id": "acme-bank", "document_ids": ["acme-document"]},
        bodies={
            "CreateMemoryBank": {"bank_id": "bolt-bank", "bank_name": "b", "config": {"keyword": {}}},
            "InsertDocuments": {"documents": [DOCUMENT], "replace": True},
            "StreamInsertDocuments": {"documents": [DOCUMENT], "replace": True},
            "BulkInsertDocuments": {"document": DOCUMENT, "replace": True},
            "UpdateDocuments": {"documents": [DOCUMENT]},
            "QueryMemoryBank": {"query": {"text": "cat"}},
        },
        own=frozenset({"CreateMemoryBank"}),
    ),
    "inference": Area(fields={"model": "none"}, shared=dict.fromkeys(GENERATING, GENERATES)),
    "models": Area(
        fields={"model_id": "none", "adapter_id": "none"},
        bodies={"RegisterModel": {"source": "/none"}, "StreamRegisterModel": {"source": "/none"}},
        shared={"ListModels": OF_ALL, "GetModel": OF_ALL},
    ),
    "openai": Area(
        fields={"model": "none"},
        shared={
            **dict.fromkeys(
                ("ChatCompletion", "StreamChatCompletion", "Completion", "StreamCompletion", "Embeddings"), GENERATES
            ),
            "ListModels": OF_ALL,
            "GetModel": OF_ALL,
        },
    ),
    "safety": Area(shared={"RunShields": "judges what it is given and keeps nothing", "ListShields": OF_ALL}),
    "reward_scoring": Area(shared={"Score": "scores what it is given and keeps nothing"}),
}
