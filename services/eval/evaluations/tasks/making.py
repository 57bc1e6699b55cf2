"""The task of each kind of evaluation, from its request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2 as pb
from mesh.errors import InvalidField
from services.eval.evaluations.generation import Model, Patience
from services.eval.evaluations.kinds import Request
from services.eval.evaluations.sample import Row, Task
from services.eval.evaluations.scorers import F1, Bleu, ExactMatch, Rouge, Scorer
from services.eval.evaluations.tasks.answers import Answers, Asked, Wording
from services.eval.evaluations.tasks.injection import Injections
from services.eval.evaluations.tasks.judge import Judge, Judged
from services.eval.evaluations.tasks.perplexity import Perplexity
from services.eval.evaluations.tasks.retrieval import Retrieval
from services.eval.evaluations.tasks.safety import Safety, Shields
from services.eval.evaluations.tasks.tool_calling import ToolCalling

_QUESTION: Final = "Answer the question with as few words as possible.\n\nQuestion: {question}"
_IN_CONTEXT: Final = (
    "{context}\n\nAnswer the question with as few words from the text as possible.\n\nQuestion: {question}"
)
_SUMMARY: Final = "Summarize the text in a few sentences.\n\n{document}"
_PROMPT: Final = "{prompt}"
_BRIEF: Final = SamplingParams(max_tokens=16)
NEEDED: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "question_answering": [("question",), ("answer", "answers")],
    "summarization": [("document",), ("summary", "summaries")],
    "text_generation": [("text",)],
    "tool_calling": [("dialog",), ("tool_calls",)],
    "retrieval": [("query",), ("relevant",)],
    "judge": [("prompt",)],
    "safety": [("prompt",), ("is_attack",)],
}
"""By kind, the columns that a dataset has to have; any of those in brackets."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The stubs of the services that tasks call."""

    inference: Any
    memory: Any
    safety: Any
    rewards: Any
    patience: Patience = field(default=Patience())


def check_columns(kind: str, columns: Sequence[str]) -> None:
    """Refuse a dataset that lacks a column.

    Raises:
        InvalidField: it does; the message names the column.
    """
    for choice in NEEDED[kind]:
        if not set(choice) & set(columns):
            raise InvalidField("dataset.columns", f"the column {' or '.join(choice)} is needed")


def make(request: Request, model: str, columns: Sequence[str], peers: Peers) -> Task:
    """Return the task of a request over a dataset with these columns.

    Raises:
        InvalidField: the dataset lacks a column that a metric needs.
    """
    options = request.options
    match request:
        case more.EvaluateRetrievalRequest():
            return Retrieval(peers.memory, request.memory_bank_ids, request.cutoffs, peers.patience)
        case more.EvaluateSafetyRequest():
            shields = Shields(peers.safety, request.shield_types, peers.patience)
            asked = _model(request, model, peers) if model else None
            return Safety(shields, asked, _wording("prompt", _PROMPT, options), _injections(request, peers))
        case more.EvaluateToolCallingRequest():
            system = options.system_prompt if options.HasField("system_prompt") else None
            return ToolCalling(_model(request, model, peers), request.available_tools, system)
        case more.EvaluateWithJudgeRequest():
            judge = Judge(peers.rewards, request.judge, peers.patience)
            return Judged(_model(request, model, peers), judge, _wording("prompt", _PROMPT, options))
        case pb.EvaluateQuestionAnsweringRequest():
            return _question_answering(request, _model(request, model, peers), columns)
        case pb.EvaluateSummarizationRequest():
            return _summarization(request, _model(request, model, peers))
        case pb.EvaluateTextGenerationRequest():
            return _text_generation(request, _model(request, model, peers), columns)
        case _:
            raise AssertionError("the harness scores its own samples")


def _question_answering(request: pb.EvaluateQuestionAnsweringRequest, model: Model, columns: Sequence[str]) -> Task:
    scorers: dict[int, Scorer] = {pb.QUESTION_ANSWERING_METRIC_EM: ExactMatch(), pb.QUESTION_ANSWERING_METRIC_F1: F1()}
    template = _IN_CONTEXT if "context" in columns else _QUESTION
    wording = _wording("question", template, request.options)

    def prepare(row: Row) -> Asked:
        return Asked(row, wording.ask(row), row.texts("answer", "answers"))

    return Answers(model, prepare, [scorers[metric] for metric in request.metrics])


def _summarization(request: pb.EvaluateSummarizationRequest, model: Model) -> Task:
    wording = _wording("document", _SUMMARY, request.options)

    def prepare(row: Row) -> Asked:
        return Asked(row, wording.ask(row), row.texts("summary", "summaries"))

    chosen = [Rouge() if metric == pb.SUMMARIZATION_METRIC_ROUGE else Bleu() for metric in request.metrics]
    return Answers(model, prepare, chosen)


def _text_generation(request: pb.EvaluateTextGenerationRequest, model: Model, columns: Sequence[str]) -> Task:
    scorers: dict[int, Scorer] = {pb.TEXT_GENERATION_METRIC_ROUGE: Rouge(), pb.TEXT_GENERATION_METRIC_BLEU: Bleu()}
    chosen = [scorers[metric] for metric in request.metrics if metric in scorers]
    if chosen and "prompt" not in columns:
        raise InvalidField("dataset.columns", "the column prompt is needed for rouge and bleu")
    plain = _wording("prompt", _PROMPT, request.options)
    wording = Wording(plain.column, plain.template, plain.system, plain=True)

    def prepare(row: Row) -> Asked:
        return Asked(row, wording.ask(row), [row.text("text")])

    answers = Answers(model, prepare, chosen) if chosen else None
    if pb.TEXT_GENERATION_METRIC_PERPLEXITY in request.metrics:
        return Perplexity(model, answers)
    assert answers is not None
    return answers


def _model(request: Any, model: str, peers: Peers) -> Model:
    sampling = SamplingParams()
    sampling.CopyFrom(request.sampling_params)
    if request.options.HasField("seed") and not sampling.HasField("seed"):
        sampling.seed = request.options.seed
    return Model(peers.inference, model, sampling, peers.patience)


def _injections(request: more.EvaluateSafetyRequest, peers: Peers) -> Injections | None:
    """Return what says whether injections worked; None where no model is named for that."""
    if not request.HasField("judge_model"):
        return None
    return Injections(Model(peers.inference, request.judge_model, _BRIEF, peers.patience))


def _wording(column: str, template: str, options: pb.EvaluationOptions) -> Wording:
    """Return how rows are put, by the options where they say."""
    return Wording(
        column=column,
        template=options.prompt_template if options.HasField("prompt_template") else template,
        system=options.system_prompt if options.HasField("system_prompt") else None,
    )
