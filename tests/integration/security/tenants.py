"""What an owner makes in every area of the contracts, and how a request names it. A new area is one row here.

In bodies, a string that begins with ``$`` stands for what a step has kept of its answer under that name.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
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
    """One area: ``fields`` fills fields by name in every request, ``bodies`` adds the rest by RPC
    (a list has all messages of a stream).

    ``own``: RPCs that make something of the caller's own, whoever that is. ``shared``: RPCs over what belongs to the
    deployment or to nobody, with the reason. ``unmade``: RPCs that name what the owner could not make here, with the
    reason; the owner too gets NOT_FOUND.
    """

    steps: tuple[Step, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    bodies: Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]] = field(default_factory=dict)
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

HI = [{"user": {"content": {"text": MARK}}}]
TOOL = {
    "tool_name": "acme_tool",
    "description": MARK,
    "execution_config": {"url": {"uri": "https://pets.example/x"}, "method": "REST_API_METHOD_GET"},
}
SERVER = {"transport": {"streamable_http": {"url": {"uri": "https://mcp.example/mcp"}}}}
TEXT = "TRAIN_EVAL_DATASET_COLUMN_TYPE_TEXT"
COLUMNS = {"question": TEXT, "answer": TEXT}


def rows(text: str) -> dict[str, Any]:
    """Return a dataset of one row, inside its URL."""
    content = b64encode(f'{{"question": "{text}", "answer": "{text}"}}\n'.encode()).decode()
    return {"columns": COLUMNS, "content_url": {"uri": f"data:application/jsonl;base64,{content}"}}


ROW = b'{"question": "c", "answer": "c"}\n'
ROWS, OTHER_ROWS = rows(MARK), rows("b")
QUESTIONS = {
    "dataset": ROWS,
    "checkpoint": {"model": "none"},
    "sampling_params": {},
    "metrics": ["QUESTION_ANSWERING_METRIC_EM"],
}
EVALUATIONS = frozenset(
    f"Evaluate{name}"
    for name in (
        *("QuestionAnswering", "Summarization", "TextGeneration", "ToolCalling"),
        *("Retrieval", "WithJudge", "Safety", "Harness"),
    )
)
NOON = "2026-01-01T12:00:00Z"
LOG = {"message": MARK, "level": "info", "timestamp": NOON}
METRIC = {"name": "loss", "value": {"integer": 1}, "timestamp": NOON, "run_id": "$run"}
SPAN = {"trace_id": "a" * 32, "span_id": "b" * 16, "name": MARK, "started_at": NOON, "ended_at": NOON}

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
    "agents": Area(
        steps=(
            Step(
                "CreateAgenticSystem",
                {"model": "none", "instance_config": {"instructions": MARK}},
                {"system_id": "system"},
            ),
            Step("CreateSession", {"system_id": "$system", "session_name": MARK}, {"session_id": "session"}),
            Step(
                "CreateTurn",
                {"system_id": "$system", "session_id": "$session", "turn_id": "acme-turn", "messages": HI},
                must=False,
            ),
        ),
        fields={
            "agent_id": "$system",
            "system_id": "$system",
            "session_id": "$session",
            "turn_id": "acme-turn",
            "step_id": "acme-step",
            "call_id": "acme-call",
            "memory_bank_ids": ["acme-bank"],
        },
        bodies={
            "CreateAgenticSystem": {"model": "none", "instance_config": {"instructions": "b"}},
            "CreateSession": {"session_name": "b"},
            "CreateTurn": {"messages": HI},
            "StreamCreateTurn": {"messages": HI},
            "ApproveToolCall": {"decision": "APPROVAL_DECISION_APPROVE"},
        },
        own=frozenset({"CreateAgenticSystem"}),
        unmade={
            "ApproveToolCall": "a call to decide on takes a model",
            "GetStep": "a step takes a model",
            "AttachMemoryBank": "the bank is asked for at the memory service",
        },
    ),
    "tools": Area(
        steps=(
            Step("RegisterTool", TOOL),
            Step("RegisterMcpServer", {"server_id": "acme-server", **SERVER}, must=False),
        ),
        fields={"server_id": "acme-server"},
        bodies={
            "GetTool": {"tool_name": {"custom": "acme_tool"}},
            "UnregisterTool": {"tool_name": "acme_tool"},
            "RunTool": {"tool_name": {"custom": "acme_tool"}},
            "RegisterTool": {**TOOL, "description": "b"},
            "RegisterMcpServer": SERVER,
            "ListTools": {"kind": "TOOL_KIND_REST"},
        },
        own=frozenset({"RegisterTool", "RegisterMcpServer"}),
        unmade={
            "RunTool": "its host is not there",
            "RegisterMcpServer": "a server is asked for its tools, and none is there",
            "UnregisterMcpServer": "see RegisterMcpServer",
        },
    ),
    "datasets": Area(
        steps=(Step("CreateDataset", {"uuid": "acme-set", "dataset": ROWS}),),
        fields={"dataset_uuid": "acme-set"},
        bodies={
            "CreateDataset": {"uuid": "acme-set", "dataset": OTHER_ROWS},
            "ReviseDataset": {"dataset": OTHER_ROWS},
            "UploadDataset": [
                {"header": {"uuid": "acme-set", "columns": COLUMNS, "format": "jsonl", "revise": True}},
                {"chunk": b64encode(ROW).decode()},
            ],
            "CollectDataset": {"uuid": "acme-collected", "sessions": {"session_ids": ["acme-session"]}},
        },
        own=frozenset({"CreateDataset", "CollectDataset", "UploadDataset"}),
        unmade={"CollectDataset": "sessions are asked for at the agents service"},
    ),
    "post_training": Area(
        fields={"job_uuid": "acme-job", "checkpoint_id": "acme-checkpoint", "model_id": "m"},
        own=frozenset({"SupervisedFineTune", "PreferenceOptimize", "ReinforcementFineTune"}),
        unmade=dict.fromkeys(
            (
                *("SupervisedFineTune", "PreferenceOptimize", "ReinforcementFineTune", "GetJobStatus", "GetJobLogs"),
                *("FollowJobLogs", "GetJobMetrics", "FollowJobMetrics", "GetJobArtifacts", "CancelJob", "ResumeJob"),
                *("RegisterCheckpoint", "GetLineage"),
            ),
            "a job takes a Ray cluster",
        ),
    ),
    "synthetic_data_generation": Area(
        fields={"job_uuid": "acme-job"},
        own=frozenset({"CreateJob"}),
        shared={"Generate": GENERATES},
        unmade=dict.fromkeys(
            ("CreateJob", "GetJobStatus", "GetJobLogs", "FollowJobLogs", "CancelJob"), "a job takes a model"
        ),
    ),
    "evaluations": Area(
        steps=(
            Step("EvaluateQuestionAnswering", {"job_uuid": "acme-job", **QUESTIONS}),
            Step("EvaluateQuestionAnswering", {"job_uuid": "acme-other", **QUESTIONS}),
            Step("CancelJob", {"job_uuid": "acme-job"}),
            Step("CancelJob", {"job_uuid": "acme-other"}),
        ),
        fields={"job_uuid": "acme-job", "baseline_job_uuid": "acme-job", "candidate_job_uuid": "acme-other"},
        bodies={"EvaluateQuestionAnswering": QUESTIONS},
        own=EVALUATIONS,
        unmade=dict.fromkeys(EVALUATIONS - {"EvaluateQuestionAnswering"}, "one kind stands for all"),
    ),
    "observability": Area(
        steps=(
            Step("CreateExperiment", {"name": MARK}, {"id": "experiment"}),
            Step("CreateRun", {"experiment_id": "$experiment"}, {"id": "run"}),
            Step("LogMessages", {"logs": [LOG], "run_id": "$run"}),
            Step("LogMetrics", {"run_id": "$run", "metrics": [METRIC]}),
            Step("LogSpans", {"spans": [SPAN]}),
            Step(
                "UploadArtifact",
                {"experiment_id": "$experiment", "name": MARK, "artifact_type": "model", "content": "YQ=="},
                {"id": "artifact"},
            ),
        ),
        fields={"experiment_id": "$experiment", "run_id": "$run", "artifact_id": "$artifact"},
        bodies={
            "CreateExperiment": {"name": "b"},
            "LogMessages": {"logs": [LOG]},
            "LogMetrics": {"metrics": [METRIC]},
            "LogSpans": {"spans": [{**SPAN, "name": "b", "run_id": "$run"}]},
            "UploadArtifact": {"name": "b", "artifact_type": "model", "content": "YQ=="},
            "LinkArtifact": {"name": "c", "type": "ARTIFACT_TYPE_MODEL", "url": {"uri": "https://x.example/y"}},
            "ExportRun": {"tracking_uri": "https://tracking.example"},
        },
        own=frozenset({"CreateExperiment", "LogSpans"}),
        unmade={"LinkArtifact": "no place is allowed", "ExportRun": "no server is allowed"},
    ),
}
