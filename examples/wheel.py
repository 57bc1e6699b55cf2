"""The calls of the flywheel, one method each: what it asks of agents, memory, datasets, training and evaluation.

Every id begins with the id of the run, so that a run can be repeated and its parts found again.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import grpc
import httpx

from cli.chat import DEFAULT_MODEL
from cli.deployables import GATEWAY, serving
from examples.town import FACTS, HELD_OUT, questions
from llamastack.agents.v1 import config_pb2, session_pb2, tool_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1 import job_pb2
from llamastack.common.v1.content_pb2 import Content, Url
from llamastack.common.v1.message_pb2 import UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.datasets.v1 import dataset_pb2, dataset_requests_pb2
from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.evaluations.v1 import comparison_pb2, evaluation_pb2
from llamastack.evaluations.v1 import job_pb2 as evaluation_job_pb2
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import EvaluationsServiceStub
from llamastack.memory.v1 import bank_pb2, document_pb2, query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from llamastack.post_training.v1 import checkpoint_pb2, post_training_pb2, training_config_pb2
from llamastack.post_training.v1 import job_pb2 as training_job_pb2
from llamastack.post_training.v1.post_training_service_pb2_grpc import PostTrainingServiceStub
from llamastack.reward_scoring.v1.reward_pb2 import ExactMatchReward, RewardFunction
from llamastack.synthetic_data_generation.v1 import job_pb2 as synthetic_job_pb2
from llamastack.synthetic_data_generation.v1 import synthetic_data_pb2
from llamastack.synthetic_data_generation.v1.synthetic_data_generation_service_pb2_grpc import (
    SyntheticDataGenerationServiceStub,
)
from mesh.json_text import loose_of
from models.builtin.template import with_context

DIALOG = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_DIALOG
TEXT = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_TEXT
Rows = list[dict[str, Any]]


def channel(area: str) -> grpc.Channel:
    """Return a channel to the service of an area."""
    service = serving(area)
    assert service is not None
    return grpc.insecure_channel(service.address)


@dataclass(frozen=True)
class Mesh:
    """The services, each by its stub."""

    agents: AgenticSystemServiceStub = field(default_factory=lambda: AgenticSystemServiceStub(channel("agents")))
    memory: MemoryBanksServiceStub = field(default_factory=lambda: MemoryBanksServiceStub(channel("memory")))
    datasets: DatasetsServiceStub = field(default_factory=lambda: DatasetsServiceStub(channel("datasets")))
    synthetic: SyntheticDataGenerationServiceStub = field(
        default_factory=lambda: SyntheticDataGenerationServiceStub(channel("synthetic_data_generation"))
    )
    training: PostTrainingServiceStub = field(default_factory=lambda: PostTrainingServiceStub(channel("post_training")))
    evaluations: EvaluationsServiceStub = field(default_factory=lambda: EvaluationsServiceStub(channel("evaluations")))


class Job(Protocol):
    """The status of a job of any service."""

    job_uuid: str
    state: job_pb2.JobState.ValueType
    failure: str


_Status = TypeVar("_Status", bound=Job)


@dataclass(frozen=True)
class Candidate:
    """An adapter: how it is trained."""

    name: str
    steps: int
    learning_rate: float


class Flywheel:
    """One turn of the wheel; ``run`` makes every id its own."""

    def __init__(self, mesh: Mesh, run: str) -> None:
        """Keep the services."""
        self._mesh = mesh
        self._run = run

    def bank(self) -> str:
        """Put the town's documents into a memory bank and return its id."""
        documents = [
            document_pb2.MemoryBankDocument(
                document_id=fact.document,
                content=document_pb2.DocumentContent(data=fact.sentence.encode()),
                mime_type="text/plain",
            )
            for fact in FACTS
        ]
        request = bank_pb2.CreateMemoryBankRequest(bank_id=f"{self._run}-town", bank_name="town", documents=documents)
        return self._mesh.memory.CreateMemoryBank(request).bank_id

    def agent(self, model: str, bank_id: str | None = None) -> str:
        """Create an agent, with a memory bank or without one, and return its id."""
        config = config_pb2.AgenticSystemInstanceConfig(model=model, instructions="")
        config.sampling_params.max_tokens = 64
        if bank_id:
            bank = tool_pb2.MemoryBankReference(vector=tool_pb2.VectorBankReference(bank_id=bank_id))
            memory = tool_pb2.MemoryTool(memory_bank_configs=[bank], max_chunks=1)
            config.tools.tools.append(tool_pb2.AgentTool(memory=memory))
        return self._mesh.agents.CreateAgenticSystem(
            config_pb2.AgenticSystemCreateRequest(instance_config=config)
        ).system_id

    def ask(self, system_id: str, question: str) -> str:
        """Return what an agent answers in a session of its own."""
        session = session_pb2.AgenticSystemSessionCreateRequest(system_id=system_id, session_name=question)
        request = turn_pb2.AgenticSystemTurnCreateRequest(
            system_id=system_id,
            session_id=self._mesh.agents.CreateSession(session).session_id,
            messages=[turn_pb2.TurnInputMessage(user=UserMessage(content=Content(text=question)))],
        )
        last = self._mesh.agents.CreateTurn(request, timeout=120)
        return last.event.payload.turn_complete.turn.output_message.content.text

    def collected(self, system_id: str) -> dataset_pb2.DatasetRevision:
        """Collect the dialogs of an agent's sessions into a dataset."""
        source = dataset_requests_pb2.SessionSource(system_ids=[system_id])
        request = dataset_requests_pb2.CollectDatasetRequest(uuid=f"{self._run}-dialogs", sessions=source)
        return self._mesh.datasets.CollectDataset(request).revision

    def rows(self, revision: dataset_pb2.DatasetRevision) -> Rows:
        """Return the rows of a revision."""
        request = dataset_requests_pb2.ReadDatasetRequest(
            dataset_uuid=revision.dataset_uuid, revision=revision.revision
        )
        read = (row for piece in self._mesh.datasets.ReadDataset(request) for row in piece.rows)
        return [{name: loose_of(value) for name, value in row.fields.items()} for row in read]

    def prompts(self, asked: Iterable[str], bank_id: str) -> Rows:
        """Return each question with its passage, and the passage with its source as the right answer."""
        made = []
        for question in asked:
            request = query_pb2.QueryMemoryBankRequest(
                bank_id=bank_id, query=query_pb2.QueryText(text=question), params=query_pb2.QueryParams(max_chunks=1)
            )
            [chunk] = self._mesh.memory.QueryMemoryBank(request).chunks
            passage = chunk.content.strip()
            prompt = with_context(question, [(chunk.document_id, passage)])
            made.append({"prompt": prompt, "reference": f"[{chunk.document_id}] {passage}"})
        return made

    def synthesized(self, prompts: Rows) -> synthetic_job_pb2.SyntheticDataJob:
        """Sample answers to prompts and keep those that are right."""
        settings = synthetic_data_pb2.GenerationSettings(
            num_samples=8,
            reward=RewardFunction(exact_match=ExactMatchReward()),
            # as steep as this the sigmoid keeps every answer of score 1 and none of score 0
            filtering_params=synthetic_data_pb2.FilteringParams(threshold=0.5, scale=0.01),
        )
        settings.sampling_params.CopyFrom(
            SamplingParams(strategy=SamplingStrategy.SAMPLING_STRATEGY_TOP_P, temperature=0.8, max_tokens=64)
        )
        job = f"{self._run}-synthesis"
        self._mesh.synthetic.CreateJob(
            synthetic_job_pb2.CreateSyntheticDataJobRequest(
                job_uuid=job,
                dataset=inline(prompts, prompt=TEXT, reference=TEXT),
                filtering_function=synthetic_data_pb2.FILTERING_FUNCTION_SIGMOID,
                model=DEFAULT_MODEL,
                settings=settings,
                output_dataset_uuid=f"{self._run}-answers",
            )
        )
        list(self._mesh.synthetic.FollowJobLogs(synthetic_job_pb2.GetSyntheticDataJobLogsRequest(job_uuid=job)))
        return ended(self._mesh.synthetic.GetJobStatus(synthetic_job_pb2.GetSyntheticDataJobRequest(job_uuid=job)))

    def revised(self, dataset_uuid: str, rows: Rows) -> dataset_pb2.DatasetRevision:
        """Make dialogs the new revision of a dataset."""
        request = dataset_requests_pb2.ReviseDatasetRequest(
            dataset_uuid=dataset_uuid, dataset=inline(rows, dialog=DIALOG)
        )
        return self._mesh.datasets.ReviseDataset(request).revision

    def held_out(self) -> dataset_pb2.DatasetRevision:
        """Store the questions of the evaluation."""
        rows = [
            {"question": asked, "answer": fact.answer, "dialog": dialog(asked, fact.answer)}
            for fact, asked in questions(HELD_OUT)
        ]
        request = dataset_requests_pb2.CreateDatasetRequest(
            uuid=f"{self._run}-held-out", dataset=inline(rows, question=TEXT, answer=TEXT, dialog=DIALOG)
        )
        return self._mesh.datasets.CreateDataset(request).revision

    def trained(
        self, candidate: Candidate, data: dataset_pb2.DatasetRevision, held_out: dataset_pb2.DatasetRevision
    ) -> training_job_pb2.PostTrainingJobStatusResponse:
        """Train an adapter as a Ray job and return what came of it."""
        job = f"{self._run}-{candidate.name}"
        request = post_training_pb2.PostTrainingSftRequest(
            job_uuid=job,
            model=DEFAULT_MODEL,
            dataset=stored(data),
            validation_dataset=stored(held_out),
            algorithm=training_config_pb2.FINETUNING_ALGORITHM_LORA,
            algorithm_config=training_config_pb2.LoraFinetuningConfig(
                lora_attn_modules=["q_proj", "k_proj", "v_proj", "output_proj"],
                apply_lora_to_mlp=True,
                rank=32,
                alpha=32,
            ),
            optimizer_config=training_config_pb2.OptimizerConfig(
                optimizer_type=training_config_pb2.OPTIMIZER_TYPE_ADAMW, lr=candidate.learning_rate
            ),
            training_config=training_config_pb2.TrainingConfig(batch_size=16, shuffle=True, n_iters=candidate.steps),
            options=training_config_pb2.TrainingOptions(checkpoint_interval=candidate.steps),
        )
        self._mesh.training.SupervisedFineTune(request)
        list(self._mesh.training.FollowJobLogs(training_job_pb2.GetPostTrainingJobLogsRequest(job_uuid=job)))
        status = training_job_pb2.GetPostTrainingJobStatusRequest(job_uuid=job)
        return ended(self._mesh.training.GetJobStatus(status))

    def evaluated(
        self, name: str, checkpoint: checkpoint_pb2.Checkpoint, held_out: dataset_pb2.DatasetRevision
    ) -> evaluation_job_pb2.EvaluationJobStatusResponse:
        """Have a model answer the questions of the evaluation."""
        job = f"{self._run}-evaluation-{name}"
        request = evaluation_pb2.EvaluateQuestionAnsweringRequest(
            job_uuid=job,
            dataset=stored(held_out),
            checkpoint=checkpoint,
            sampling_params=SamplingParams(max_tokens=64),
            metrics=[evaluation_pb2.QUESTION_ANSWERING_METRIC_EM, evaluation_pb2.QUESTION_ANSWERING_METRIC_F1],
            options=evaluation_pb2.EvaluationOptions(prompt_template="{question}"),
        )
        self._mesh.evaluations.EvaluateQuestionAnswering(request)
        list(self._mesh.evaluations.FollowJobLogs(evaluation_job_pb2.GetEvaluationJobLogsRequest(job_uuid=job)))
        status = evaluation_job_pb2.GetEvaluationJobStatusRequest(job_uuid=job)
        return ended(self._mesh.evaluations.GetJobStatus(status))

    def evaluation_files(self, job_uuid: str) -> list[tuple[str, str]]:
        """Return the name and the id of each file of an evaluation."""
        request = evaluation_job_pb2.GetEvaluationJobArtifactsRequest(job_uuid=job_uuid)
        return [(file.name, file.artifact_id) for file in self._mesh.evaluations.GetJobArtifacts(request).files]

    def training_files(self, job_uuid: str) -> list[tuple[str, str]]:
        """Return the name and the id of each file of a training, its curves among them."""
        request = training_job_pb2.GetPostTrainingJobArtifactsRequest(job_uuid=job_uuid)
        files = self._mesh.training.GetJobArtifacts(request).files
        return [(file.name, file.artifact_id) for file in files if file.artifact_id]

    def url(self, artifact_id: str) -> str:
        """Return where a browser finds an artifact."""
        return f"http://{GATEWAY.address}/artifacts/download?artifact_id={artifact_id}"

    def fetched(self, artifact_id: str) -> bytes:
        """Return an artifact as a browser gets it; one that can't be had ends the program."""
        answer = httpx.get(self.url(artifact_id), timeout=60, trust_env=False)
        if answer.status_code != httpx.codes.OK:
            raise SystemExit(f"artifact {artifact_id}: {answer.status_code} {answer.text}")
        return answer.content

    def compared(self, baseline: str, candidate: str) -> comparison_pb2.MetricComparison:
        """Compare two evaluations by exact match, question by question."""
        request = comparison_pb2.CompareEvaluationJobsRequest(baseline_job_uuid=baseline, candidate_job_uuid=candidate)
        return self._mesh.evaluations.CompareJobs(request).metrics["em"]

    def promoted(self, checkpoint: checkpoint_pb2.Checkpoint) -> str:
        """Load an adapter onto the running model and return the id that it is served under."""
        request = checkpoint_pb2.RegisterCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id, model_id=f"{self._run}-town", base_model=DEFAULT_MODEL
        )
        return self._mesh.training.RegisterCheckpoint(request).model_id

    def lineage(self, checkpoint: checkpoint_pb2.Checkpoint) -> checkpoint_pb2.Lineage:
        """Return where a checkpoint comes from."""
        request = checkpoint_pb2.GetLineageRequest(checkpoint_id=checkpoint.checkpoint_id)
        return self._mesh.training.GetLineage(request)


def inline(rows: Rows, **columns: dataset_pb2.TrainEvalDatasetColumnType.ValueType) -> dataset_pb2.TrainEvalDataset:
    """Return rows as a dataset whose content is in its URL."""
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    url = Url(uri=f"data:application/jsonl;base64,{b64encode(lines).decode()}")
    return dataset_pb2.TrainEvalDataset(columns=columns, content_url=url)


def stored(revision: dataset_pb2.DatasetRevision) -> dataset_pb2.TrainEvalDataset:
    """Return a stored revision as a dataset."""
    return dataset_pb2.TrainEvalDataset(content_url=Url(uri=name_of(revision)))


def name_of(revision: dataset_pb2.DatasetRevision) -> str:
    """Return the URL of a revision."""
    return f"dataset:{revision.dataset_uuid}@{revision.revision}"


def dialog(question: str, answer: str) -> list[dict[str, str]]:
    """Return a question and its answer as a conversation."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def question_of(row: dict[str, Any]) -> str:
    """Return the user's own words of a dialog, without what was found for them."""
    said: str = next(message["content"] for message in row["dialog"] if message["role"] == "user")
    return said.partition("\n")[0]


def ended(status: _Status) -> _Status:
    """Return the status of a job that has ended well; anything else ends the program with the job's own words."""
    if status.state != job_pb2.JOB_STATE_COMPLETED:
        raise SystemExit(f"{status.job_uuid}: {job_pb2.JobState.Name(status.state)} {status.failure}")
    return status
