"""What is recorded over REST: the requests as clients write them, service by service, in their order.

In paths and bodies ``$name`` stands for what an earlier step kept of its answer under that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bench.restarts.model import MODEL

TALK: Final = [{"role": "user", "content": "quick"}]
SAID: Final = {"role": "assistant", "content": "4", "stop_reason": "end_of_turn", "tool_calls": []}
SCORED: Final = {"dialog": TALK, "sampled_generations": [SAID], "reference": "4"}
TEXT: Final = {"text": "text"}
NOON: Final = "2026-01-01T12:00:00Z"
DATA: Final = "data:application/jsonl;base64,eyJ0ZXh0IjogImEifQo="
"""One row, ``{"text": "a"}``."""


@dataclass(frozen=True)
class Asked:
    """A request; ``keep`` names members of the answer and what they are kept as."""

    target: str
    body: Any = None
    keep: Mapping[str, str] = field(default_factory=dict)


SCRIPT: Final[Mapping[str, tuple[Asked, ...]]] = {
    "inference": (
        Asked("GET /models/list"),
        Asked(f"GET /models/get?model_id={MODEL}"),
        Asked("GET /models/get?model_id=nobody"),
        Asked("POST /inference/chat_completion", {"model": MODEL, "messages": TALK}),
        Asked("POST /inference/chat_completion", {"model": MODEL, "messages": TALK, "stream": True}),
        Asked("POST /inference/chat_completion", {"model": MODEL, "messages": []}),
        Asked("POST /inference/embeddings", {"model": MODEL, "contents": ["a", "b"]}),
        Asked("GET /v1/models"),
    ),
    "agents": (
        Asked(
            "POST /agentic_system/create",
            {"model": MODEL, "instance_config": {"instructions": "Be brief."}},
            {"system_id": "system"},
        ),
        Asked(
            "POST /agentic_system/session/create",
            {"system_id": "$system", "session_name": "talk"},
            {"session_id": "session"},
        ),
        Asked(
            "POST /agentic_system/turn/create",
            {"system_id": "$system", "session_id": "$session", "messages": TALK, "turn_id": "mine"},
        ),
        Asked(
            "POST /agentic_system/turn/create",
            {"system_id": "$system", "session_id": "$session", "messages": TALK, "turn_id": "other", "stream": True},
        ),
        Asked("GET /agentic_system/turn/get?agent_id=$system&turn_id=mine"),
        Asked("POST /agentic_system/session/get?agent_id=$system&session_id=$session", ["mine"]),
        Asked("DELETE /agentic_system/session/delete?agent_id=$system&session_id=$session"),
        Asked("DELETE /agentic_system/delete?agent_id=$system"),
        Asked("POST /safety/shields/list", {}),
        Asked("POST /safety/run_shields", {"messages": TALK, "shields": []}),
        Asked("POST /tools/list", {}),
        Asked("POST /tools/get", {"tool_name": "brave_search"}),
    ),
    "memory": (
        Asked("POST /memory_banks/create", {"bank_id": "mine", "bank_name": "m", "config": {"type": "keyword"}}),
        Asked(
            "POST /memory_bank/insert",
            {
                "bank_id": "mine",
                "documents": [
                    {"document_id": "one", "content": "the cat sat", "mime_type": "text/plain", "metadata": {"n": 1}}
                ],
            },
        ),
        Asked("POST /memory_bank/query", {"bank_id": "mine", "query": "cat"}),
        Asked("GET /memory_banks/get?bank_id=mine"),
        Asked("GET /memory_banks/list"),
        Asked("POST /memory_bank/documents/get?bank_id=mine", ["one"]),
        Asked("POST /memory_bank/documents/delete?bank_id=mine", ["one"]),
        Asked("DELETE /memory_banks/drop?bank_id=mine"),
    ),
    "training": (
        Asked("POST /datasets/create", {"uuid": "mine", "dataset": {"columns": TEXT, "content_url": DATA}}),
        Asked("GET /datasets/get?dataset_uuid=mine"),
        Asked("POST /datasets/create", {"uuid": "mine", "dataset": {"columns": TEXT}}),
        Asked("GET /post_training/jobs"),
        Asked("GET /post_training/job/status?job_uuid=none"),
        Asked(
            "POST /synthetic_data_generation/generate", {"dialogs": TALK, "model": MODEL, "filtering_function": "none"}
        ),
        Asked("DELETE /datasets/delete?dataset_uuid=mine"),
    ),
    "eval": (
        Asked("POST /experiments/create", {"name": "mine"}, {"id": "experiment"}),
        Asked("POST /experiments/create_run", {"experiment_id": "$experiment"}, {"id": "run"}),
        Asked(
            "POST /runs/log_metrics",
            {"run_id": "$run", "metrics": [{"name": "loss", "value": 1, "timestamp": NOON, "run_id": "$run"}]},
        ),
        Asked("POST /runs/metrics", {"run_id": "$run"}),
        Asked("POST /experiments/list", {}),
        Asked(
            "POST /logging/log_messages",
            {"logs": [{"message": "m", "level": "info", "timestamp": NOON, "additional_info": {"n": 1}}]},
        ),
        Asked("POST /logging/get_logs", {"query": ""}),
        Asked("GET /evaluate/jobs"),
        Asked("GET /evaluate/job/status?job_uuid=none"),
        Asked(
            "POST /reward_scoring/score",
            {"dialog_generations": [SCORED], "model": "", "reward": {"exact_match": {}}},
        ),
    ),
}
