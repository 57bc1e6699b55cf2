"""The services that the training service calls, scripted: they answer by rule and count what they were asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceServicer
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.inference.v1 import inference_pb2
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceServicer
from llamastack.models.v1 import models_pb2
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceServicer
from llamastack.observability.v1 import experiment_pb2, metric_pb2, trace_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceServicer
from llamastack.reward_scoring.v1 import reward_scoring_pb2
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import RewardScoringServiceServicer
from mesh.errors import BackendUnavailable, MeshError, ResourceNotFound


def said(text: str) -> CompletionMessage:
    """Return an answer."""
    return CompletionMessage(content=Content(text=text), stop_reason=StopReason.STOP_REASON_END_OF_TURN)


class ScriptedModels(ModelsServiceServicer):
    """Knows the model ``llama``."""

    async def GetModel(self, request: models_pb2.GetModelRequest, context: Any) -> models_pb2.Model:
        """Describe the model."""
        if request.model_id != "llama":
            raise ResourceNotFound("model", request.model_id)
        return models_pb2.Model(model_id="llama")


@dataclass
class ScriptedInference(InferenceServiceServicer):
    """Answers a dialog whose last message is TEXT with ``TEXT/N``, N the number of times it was asked before.

    ``failing`` are texts whose items fail; ``failures`` are errors of the next calls; ``gate`` holds answers back.
    """

    asked: Counter[str] = field(default_factory=Counter)
    requests: list[inference_pb2.BatchChatCompletionRequest] = field(default_factory=list)
    failing: frozenset[str] = frozenset()
    failures: list[MeshError] = field(default_factory=list)
    gate: asyncio.Event | None = None
    answer: Callable[[str, int], str] = lambda text, number: f"{text}/{number}"

    async def StreamBatchChatCompletion(
        self, request: inference_pb2.BatchChatCompletionRequest, context: Any
    ) -> AsyncIterator[inference_pb2.BatchProgress]:
        """Answer each dialog."""
        self.requests.append(request)
        if request.model != "llama":
            raise ResourceNotFound("model", request.model)
        if self.failures:
            raise self.failures.pop(0)
        total = len(request.messages_batch)
        for index, dialog in enumerate(request.messages_batch):
            if self.gate is not None:
                await self.gate.wait()
            text = dialog.messages[-1].user.content.text
            number = self.asked[text]
            self.asked[text] += 1
            progress = inference_pb2.BatchProgress(index=index, done=index + 1, total=total)
            if text in self.failing:
                progress.error.index = index
                progress.error.message = "no"
            else:
                progress.response.completion_message.CopyFrom(said(self.answer(text, number)))
                progress.response.usage.completion_tokens = 3
            yield progress


@dataclass
class ScriptedScoring(RewardScoringServiceServicer):
    """Scores an answer by the number after its last slash, and by 100 more if it is the reference."""

    requests: list[reward_scoring_pb2.RewardScoringRequest] = field(default_factory=list)
    failures: list[MeshError] = field(default_factory=list)

    async def Score(
        self, request: reward_scoring_pb2.RewardScoringRequest, context: Any
    ) -> reward_scoring_pb2.RewardScoringResponse:
        """Score all answers."""
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)
        response = reward_scoring_pb2.RewardScoringResponse()
        for dialog in request.dialog_generations:
            scored = response.scored_generations.add(dialog=dialog.dialog)
            for message in dialog.sampled_generations:
                text = message.completion.content.text
                bonus = 100.0 if dialog.HasField("reference") and dialog.reference == text else 0.0
                scored.scored_generations.add(message=message, score=float(text.rpartition("/")[2]) + bonus)
        return response


@dataclass
class ScriptedAgents(AgenticSystemServiceServicer):
    """Has the systems, sessions and turns that it was given; pages hold one item each."""

    systems: dict[str, config_pb2.AgenticSystem] = field(default_factory=dict)
    sessions: dict[str, list[session_pb2.Session]] = field(default_factory=dict)
    turns: dict[str, list[turn_pb2.Turn]] = field(default_factory=dict)

    async def GetAgenticSystem(
        self, request: config_pb2.GetAgenticSystemRequest, context: Any
    ) -> config_pb2.AgenticSystem:
        """Give a system."""
        if request.agent_id not in self.systems:
            raise ResourceNotFound("agentic system", request.agent_id)
        return self.systems[request.agent_id]

    async def ListAgenticSystems(
        self, request: config_pb2.ListAgenticSystemsRequest, context: Any
    ) -> config_pb2.ListAgenticSystemsResponse:
        """List the systems."""
        items, token = _page(list(self.systems.values()), request.page_token)
        return config_pb2.ListAgenticSystemsResponse(agentic_systems=items, next_page_token=token)

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, context: Any
    ) -> session_pb2.ListSessionsResponse:
        """List the sessions."""
        items, token = _page(self.sessions.get(request.agent_id, []), request.page_token)
        return session_pb2.ListSessionsResponse(sessions=items, next_page_token=token)

    async def ListTurns(self, request: turn_pb2.ListTurnsRequest, context: Any) -> turn_pb2.ListTurnsResponse:
        """List the turns of a status."""
        turns = [turn for turn in self.turns.get(request.session_id, []) if turn.status == request.status]
        items, token = _page(turns, request.page_token)
        return turn_pb2.ListTurnsResponse(turns=items, next_page_token=token)


@dataclass
class ScriptedObservability(ObservabilityServiceServicer):
    """Has the spans that it was given; pages hold one item each. Keeps the runs and metrics that it is told of."""

    spans: list[trace_pb2.Span] = field(default_factory=list)
    experiments: list[experiment_pb2.Experiment] = field(default_factory=list)
    runs: dict[str, experiment_pb2.Run] = field(default_factory=dict)
    metrics: list[metric_pb2.Metric] = field(default_factory=list)
    requests: list[trace_pb2.SearchSpansRequest] = field(default_factory=list)

    async def ListExperiments(
        self, request: experiment_pb2.ListExperimentsRequest, context: Any
    ) -> experiment_pb2.ListExperimentsResponse:
        """List the experiments with some metadata."""
        found = [item for item in self.experiments if dict(item.metadata) == dict(request.filters)]
        return experiment_pb2.ListExperimentsResponse(experiments=found)

    async def CreateExperiment(
        self, request: experiment_pb2.CreateExperimentRequest, context: Any
    ) -> experiment_pb2.Experiment:
        """Keep an experiment."""
        made = experiment_pb2.Experiment(id=f"e{len(self.experiments)}", name=request.name, metadata=request.metadata)
        self.experiments.append(made)
        return made

    async def CreateRun(self, request: experiment_pb2.CreateRunRequest, context: Any) -> experiment_pb2.Run:
        """Keep a run."""
        made = experiment_pb2.Run(
            id=f"r{len(self.runs)}", experiment_id=request.experiment_id, status="running", metadata=request.metadata
        )
        self.runs[made.id] = made
        return made

    async def UpdateRun(self, request: experiment_pb2.UpdateRunRequest, context: Any) -> experiment_pb2.Run:
        """Change a run."""
        self.runs[request.run_id].status = request.status
        return self.runs[request.run_id]

    async def LogMetrics(self, request: metric_pb2.LogMetricsRequest, context: Any) -> metric_pb2.LogMetricsResponse:
        """Keep metrics."""
        self.metrics += request.metrics
        return metric_pb2.LogMetricsResponse()

    async def SearchSpans(self, request: trace_pb2.SearchSpansRequest, context: Any) -> trace_pb2.SearchSpansResponse:
        """Find the spans of a run."""
        self.requests.append(request)
        if self.spans == []:
            raise BackendUnavailable("no spans are kept")
        spans = [span for span in self.spans if not request.HasField("run_id") or span.run_id == request.run_id]
        items, token = _page(spans, request.page_token)
        return trace_pb2.SearchSpansResponse(spans=items, next_page_token=token)


def _page(items: list[Any], token: str) -> tuple[list[Any], str]:
    start = int(token or 0)
    return items[start : start + 1], str(start + 1) if start + 1 < len(items) else ""
