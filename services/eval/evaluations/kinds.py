"""The kinds of evaluations: what each is called, what its request is, and the facts that all requests have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.evaluations.v1 import evaluation_extensions_pb2 as more
from llamastack.evaluations.v1 import evaluation_pb2 as pb
from llamastack.evaluations.v1 import job_pb2
from llamastack.post_training.v1.checkpoint_pb2 import Checkpoint
from services.eval.evaluations.estimates import Resampling

Request: TypeAlias = (
    pb.EvaluateQuestionAnsweringRequest
    | pb.EvaluateSummarizationRequest
    | pb.EvaluateTextGenerationRequest
    | more.EvaluateToolCallingRequest
    | more.EvaluateRetrievalRequest
    | more.EvaluateWithJudgeRequest
    | more.EvaluateSafetyRequest
    | more.EvaluateHarnessRequest
)

REQUESTS: Final[dict[str, type[Request]]] = {
    "question_answering": pb.EvaluateQuestionAnsweringRequest,
    "summarization": pb.EvaluateSummarizationRequest,
    "text_generation": pb.EvaluateTextGenerationRequest,
    "tool_calling": more.EvaluateToolCallingRequest,
    "retrieval": more.EvaluateRetrievalRequest,
    "judge": more.EvaluateWithJudgeRequest,
    "safety": more.EvaluateSafetyRequest,
    "harness": more.EvaluateHarnessRequest,
}
HARNESS: Final = "harness"
_PREFIX: Final = "EVALUATION_KIND_"
_CONCURRENCY: Final = 16


@dataclass(frozen=True, slots=True)
class Facts:
    """What a request says, with defaults filled in; ``checkpoint`` and ``dataset`` are None where there is none.

    ``most`` is the number of rows at most, 0 for all; ``concurrency`` the samples at work at once.
    """

    kind: str
    checkpoint: Checkpoint | None
    dataset: TrainEvalDataset | None
    options: pb.EvaluationOptions
    most: int
    concurrency: int
    resampling: Resampling


def kind_of(request: Request) -> str:
    """Return the kind of a request."""
    return next(kind for kind, made in REQUESTS.items() if isinstance(request, made))


def number(kind: str) -> job_pb2.EvaluationKind.ValueType:
    """Return a kind as the contract has it."""
    return job_pb2.EvaluationKind.Value(_PREFIX + kind.upper())


def name(number: job_pb2.EvaluationKind.ValueType) -> str:
    """Return a kind of the contract as it is called here."""
    return job_pb2.EvaluationKind.Name(number).removeprefix(_PREFIX).lower()


def facts(kind: str, request: Request) -> Facts:
    """Return what a request says."""
    checkpoint: Checkpoint | None = None
    if not isinstance(request, more.EvaluateRetrievalRequest) and request.HasField("checkpoint"):
        checkpoint = request.checkpoint
    dataset = None if isinstance(request, more.EvaluateHarnessRequest) else request.dataset
    options = request.options
    resampling = Resampling(
        confidence=options.confidence if options.HasField("confidence") else 0.95,
        resamples=options.bootstrap_samples if options.HasField("bootstrap_samples") else 2000,
        # numpy takes no negative seed
        seed=abs(options.seed),
    )
    return Facts(
        kind, checkpoint, dataset, options, options.max_samples, options.concurrency or _CONCURRENCY, resampling
    )


def read(kind: str, body: bytes) -> Request:
    """Return the request that a job was made from."""
    return REQUESTS[kind].FromString(body)
