"""The services that evaluations call, scripted, on real channels."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.common.v1.value_pb2 import JsonObject
from llamastack.datasets.v1 import dataset_pb2
from llamastack.datasets.v1 import dataset_requests_pb2 as datasets_pb
from llamastack.datasets.v1.datasets_service_pb2_grpc import (
    DatasetsServiceServicer,
    add_DatasetsServiceServicer_to_server,
)
from llamastack.inference.v1 import inference_pb2 as inference_pb
from llamastack.inference.v1.inference_service_pb2_grpc import (
    InferenceServiceServicer,
    add_InferenceServiceServicer_to_server,
)
from llamastack.memory.v1 import query_pb2
from llamastack.memory.v1.memory_banks_service_pb2_grpc import (
    MemoryBanksServiceServicer,
    add_MemoryBanksServiceServicer_to_server,
)
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceServicer, add_ModelsServiceServicer_to_server
from llamastack.post_training.v1 import checkpoint_pb2
from llamastack.post_training.v1.post_training_service_pb2_grpc import (
    PostTrainingServiceServicer,
    add_PostTrainingServiceServicer_to_server,
)
from llamastack.reward_scoring.v1 import reward_scoring_pb2 as rewards_pb
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import (
    RewardScoringServiceServicer,
    add_RewardScoringServiceServicer_to_server,
)
from llamastack.safety.v1 import shield_pb2
from llamastack.safety.v1.safety_service_pb2_grpc import SafetyServiceServicer, add_SafetyServiceServicer_to_server
from mesh.errors import InvalidField, MeshError, ResourceNotFound
from mesh.json_text import Loose, value_of
from mesh.server import AddToServer

TYPES = dataset_pb2.TrainEvalDatasetColumnType
JSON = dataset_pb2.TRAIN_EVAL_DATASET_COLUMN_TYPE_JSON
HASH = "a" * 64


@dataclass
class ScriptedInference(InferenceServiceServicer):
    """Answers by a function of the last message's text; ``failures`` are raised by calls, one each, first.

    ``eight`` is set once eight texts are at work; ``gate`` holds answers back until it is set.
    """

    answer: Callable[[str], str | CompletionMessage | MeshError] = lambda text: text
    logprobs: Callable[[str], Sequence[float]] = lambda text: [-1.0] * len(text)
    failures: list[MeshError] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    batches: list[Any] = field(default_factory=list)
    gate: asyncio.Event | None = None
    active: int = 0
    most_active: int = 0
    eight: asyncio.Event = field(default_factory=asyncio.Event)

    async def StreamBatchChatCompletion(self, request: Any, context: Any) -> AsyncIterator[inference_pb.BatchProgress]:
        """Answer conversations."""
        self._fail()
        self.batches.append(request)
        async for item in self._each([item.messages[-1].user.content.text for item in request.messages_batch]):
            yield item

    async def StreamBatchCompletion(self, request: Any, context: Any) -> AsyncIterator[inference_pb.BatchProgress]:
        """Continue texts."""
        self._fail()
        self.batches.append(request)
        async for item in self._each([content.text for content in request.content_batch]):
            yield item

    async def Completion(self, request: Any, context: Any) -> inference_pb.CompletionResponse:
        """Tell the log-probabilities of a prompt; every character is a token, after one that begins the text."""
        self._fail()
        text = request.content.text
        self.asked[text] += 1
        entries = [inference_pb.TokenLogProbs(logprobs_by_token={"x": value}) for value in self.logprobs(text)]
        wanted = request.HasField("prompt_logprobs")
        return inference_pb.CompletionResponse(
            completion_message=said(""),
            prompt_logprobs=[inference_pb.TokenLogProbs(), *entries] if wanted else [],
            usage=inference_pb.Usage(prompt_tokens=len(text) + 1),
        )

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def _each(self, texts: Sequence[str]) -> AsyncIterator[inference_pb.BatchProgress]:
        self.active += len(texts)
        self.most_active = max(self.most_active, self.active)
        if self.active >= 8:
            self.eight.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            # the last one first: answers come in any order
            for index in reversed(range(len(texts))):
                self.asked[texts[index]] += 1
                yield _progress(index, self.answer(texts[index]), len(texts))
                self.active -= 1
                texts = [*texts[:index]]
        finally:
            self.active -= len(texts)


def _progress(index: int, answer: str | CompletionMessage | MeshError, total: int) -> inference_pb.BatchProgress:
    if isinstance(answer, MeshError):
        error = inference_pb.BatchItemError(
            index=index, code=answer.code.value[0], reason=answer.reason, message=answer.message
        )
        return inference_pb.BatchProgress(index=index, error=error, total=total)
    message = said(answer) if isinstance(answer, str) else answer
    response = inference_pb.ChatCompletionResponse(completion_message=message)
    return inference_pb.BatchProgress(index=index, response=response, total=total)


def said(text: str, *calls: ToolCall) -> CompletionMessage:
    """Return what a model says."""
    return CompletionMessage(
        content=Content(text=text), stop_reason=StopReason.STOP_REASON_END_OF_TURN, tool_calls=calls
    )


@dataclass
class ScriptedDatasets(DatasetsServiceServicer):
    """Keeps rows by the dataset's uuid, or by what a data: URL holds as a JSON list."""

    rows: dict[str, list[dict[str, Loose]]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)

    async def CreateDataset(self, request: Any, context: Any) -> datasets_pb.CreateDatasetResponse:
        """Store the rows of a data: URL."""
        self.rows[request.uuid] = json.loads(request.dataset.content_url.uri.partition(",")[2])
        return datasets_pb.CreateDatasetResponse(revision=self._revision(request.uuid))

    async def GetDataset(self, request: Any, context: Any) -> datasets_pb.GetDatasetResponse:
        """Describe a dataset."""
        if request.dataset_uuid not in self.rows:
            raise ResourceNotFound("dataset", request.dataset_uuid)
        return datasets_pb.GetDatasetResponse(revision=self._revision(request.dataset_uuid))

    async def ReadDataset(self, request: Any, context: Any) -> AsyncIterator[datasets_pb.ReadDatasetResponse]:
        """Send rows, up to three in a message."""
        self.reads.append(request.offset)
        rows = self.rows[request.dataset_uuid]
        for start in range(request.offset, len(rows), 3):
            yield datasets_pb.ReadDatasetResponse(rows=map(row, rows[start : start + 3]))

    async def DeleteDataset(self, request: Any, context: Any) -> datasets_pb.DeleteDatasetResponse:
        """Forget a dataset."""
        self.dropped.append(request.dataset_uuid)
        return datasets_pb.DeleteDatasetResponse()

    def _revision(self, uuid: str) -> dataset_pb2.DatasetRevision:
        columns = {name: JSON for row in self.rows[uuid] for name in row}
        return dataset_pb2.DatasetRevision(
            dataset_uuid=uuid, revision="r1", content_hash=HASH, num_rows=len(self.rows[uuid]), columns=columns
        )


def row(members: Mapping[str, Loose]) -> JsonObject:
    """Return a row as it travels."""
    return JsonObject(fields={name: value_of(value) for name, value in members.items()})


@dataclass
class ScriptedMemory(MemoryBanksServiceServicer):
    """Finds documents with scores by bank and query."""

    found: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)

    async def QueryMemoryBank(self, request: Any, context: Any) -> query_pb2.QueryMemoryBankResponse:
        """Search a bank."""
        known = self.found.get((request.bank_id, request.query.text), {})
        documents = list(known.items())[: request.params.max_chunks]
        chunks = [query_pb2.Chunk(document_id=document) for document, _ in documents]
        return query_pb2.QueryMemoryBankResponse(chunks=chunks, scores=[score for _, score in documents])


class ScriptedSafety(SafetyServiceServicer):
    """Finds a violation where the prompt holds the shield's name."""

    async def RunShields(self, request: Any, context: Any) -> shield_pb2.RunShieldsResponse:
        """Look at a prompt."""
        text = request.messages[-1].user.content.text
        responses = []
        for shield in request.shields:
            name = shield.shield_type.custom or "llama_guard"
            found = shield_pb2.ShieldResponse(shield_type=shield.shield_type, is_violation=name in text)
            responses.append(found)
        return shield_pb2.RunShieldsResponse(responses=responses)


class ScriptedRewards(RewardScoringServiceServicer):
    """Judges by the number of words, out of ten; the word "silent" makes it refuse."""

    async def Score(self, request: Any, context: Any) -> rewards_pb.RewardScoringResponse:
        """Score answers."""
        scored = []
        for item in request.dialog_generations:
            answer = item.sampled_generations[0]
            text = answer.completion.content.text
            if "silent" in text:
                raise InvalidField("reward", "no score was found")
            scored.append(rewards_pb.ScoredMessage(message=answer, score=len(text.split()) / 10))
        dialogs = [rewards_pb.ScoredDialogGenerations(scored_generations=[one]) for one in scored]
        return rewards_pb.RewardScoringResponse(scored_generations=dialogs)


@dataclass
class ScriptedModels(ModelsServiceServicer):
    """Registers and unregisters models."""

    events: list[str] = field(default_factory=list)

    async def RegisterModel(self, request: Any, context: Any) -> models_pb2.Model:
        """Note a model that comes."""
        self.events.append(f"register {request.source}")
        return models_pb2.Model(model_id=request.model_id)

    async def UnregisterModel(self, request: Any, context: Any) -> models_pb2.UnregisterModelResponse:
        """Note a model that goes."""
        self.events.append("unregister")
        return models_pb2.UnregisterModelResponse()

    async def UnloadAdapter(self, request: Any, context: Any) -> models_pb2.UnloadAdapterResponse:
        """Note an adapter that goes."""
        self.events.append("unload")
        return models_pb2.UnloadAdapterResponse()


class ScriptedTraining(PostTrainingServiceServicer):
    """Knows the checkpoints ``served``, which is, and ``fresh``, which is not."""

    async def GetLineage(self, request: Any, context: Any) -> checkpoint_pb2.Lineage:
        """Tell where a checkpoint is served."""
        if request.checkpoint_id not in {"served", "fresh"}:
            raise ResourceNotFound("checkpoint", request.checkpoint_id)
        return checkpoint_pb2.Lineage(registered_models=["tuned"] if request.checkpoint_id == "served" else [])

    async def RegisterCheckpoint(self, request: Any, context: Any) -> checkpoint_pb2.RegisterCheckpointResponse:
        """Serve a checkpoint."""
        return checkpoint_pb2.RegisterCheckpointResponse(model_id=request.model_id, base_model="base")


@dataclass
class Scripted:
    """All of them."""

    inference: ScriptedInference = field(default_factory=ScriptedInference)
    datasets: ScriptedDatasets = field(default_factory=ScriptedDatasets)
    memory: ScriptedMemory = field(default_factory=ScriptedMemory)
    safety: ScriptedSafety = field(default_factory=ScriptedSafety)
    rewards: ScriptedRewards = field(default_factory=ScriptedRewards)
    models: ScriptedModels = field(default_factory=ScriptedModels)
    training: ScriptedTraining = field(default_factory=ScriptedTraining)

    def services(self) -> dict[AddToServer, Any]:
        """Return them as a server takes them."""
        return {
            add_InferenceServiceServicer_to_server: self.inference,
            add_DatasetsServiceServicer_to_server: self.datasets,
            add_MemoryBanksServiceServicer_to_server: self.memory,
            add_SafetyServiceServicer_to_server: self.safety,
            add_RewardScoringServiceServicer_to_server: self.rewards,
            add_ModelsServiceServicer_to_server: self.models,
            add_PostTrainingServiceServicer_to_server: self.training,
        }
