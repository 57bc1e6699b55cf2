"""The services behind training, scripted: models, observability, evaluations and reward scoring at one address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from llamastack.evaluations.v1 import evaluations_service_pb2_grpc as evaluations_grpc
from llamastack.evaluations.v1 import job_pb2 as evaluations_pb
from llamastack.models.v1 import models_pb2, models_service_pb2_grpc
from llamastack.observability.v1 import artifact_pb2, experiment_pb2, metric_pb2
from llamastack.observability.v1 import observability_service_pb2_grpc as observability_grpc
from llamastack.reward_scoring.v1 import reward_scoring_pb2
from llamastack.reward_scoring.v1 import reward_scoring_service_pb2_grpc as scoring_grpc

Context = Any
BUILTIN = Path("models/builtin/weights/instruct").absolute()


@dataclass
class ScriptedModels(models_service_pb2_grpc.ModelsServiceServicer):
    """Serves one model from a folder, and keeps what it is told to serve besides."""

    source: Path
    adapters: list[models_pb2.LoadAdapterRequest] = field(default_factory=list)
    models: list[models_pb2.RegisterModelRequest] = field(default_factory=list)

    def GetModel(self, request: models_pb2.GetModelRequest, context: Context) -> models_pb2.Model:
        if request.model_id == "builtin":
            return models_pb2.Model(model_id="builtin", source=str(BUILTIN))
        if request.model_id == "elsewhere":
            return models_pb2.Model(model_id="elsewhere")
        if request.model_id not in ("base", "an-alias"):
            context.abort(grpc.StatusCode.NOT_FOUND, "model does not exist")
        return models_pb2.Model(model_id="base", source=str(self.source))

    def LoadAdapter(self, request: models_pb2.LoadAdapterRequest, context: Context) -> models_pb2.Adapter:
        self.adapters.append(request)
        return models_pb2.Adapter(adapter_id=request.adapter_id, model_id=request.model_id, source=request.source)

    def RegisterModel(self, request: models_pb2.RegisterModelRequest, context: Context) -> models_pb2.Model:
        self.models.append(request)
        return models_pb2.Model(model_id=request.model_id, state=models_pb2.MODEL_STATE_READY, source=request.source)


@dataclass
class ScriptedObservability(observability_grpc.ObservabilityServiceServicer):
    """Keeps what is reported."""

    experiments: list[experiment_pb2.Experiment] = field(default_factory=list)
    runs: list[experiment_pb2.Run] = field(default_factory=list)
    metrics: list[metric_pb2.Metric] = field(default_factory=list)
    linked: list[artifact_pb2.LinkArtifactRequest] = field(default_factory=list)
    uploaded: list[artifact_pb2.UploadArtifactRequest] = field(default_factory=list)
    updates: list[experiment_pb2.UpdateRunRequest] = field(default_factory=list)

    def ListExperiments(self, request: Any, context: Context) -> experiment_pb2.ListExperimentsResponse:
        found = [each for each in self.experiments if request.query in each.name]
        return experiment_pb2.ListExperimentsResponse(experiments=found)

    def GetExperiment(self, request: Any, context: Context) -> experiment_pb2.Experiment:
        for each in self.experiments:
            if each.id == request.experiment_id:
                return each
        context.abort(grpc.StatusCode.NOT_FOUND, "experiment does not exist")
        raise AssertionError

    def CreateExperiment(self, request: Any, context: Context) -> experiment_pb2.Experiment:
        self.experiments.append(experiment_pb2.Experiment(id=f"e{len(self.experiments)}", name=request.name))
        return self.experiments[-1]

    def ListRuns(self, request: Any, context: Context) -> experiment_pb2.ListRunsResponse:
        wanted = request.filters["job_uuid"]
        return experiment_pb2.ListRunsResponse(
            runs=[
                run
                for run in self.runs
                if run.metadata["job_uuid"] == wanted and run.experiment_id == request.experiment_id
            ]
        )

    def CreateRun(self, request: Any, context: Context) -> experiment_pb2.Run:
        run = experiment_pb2.Run(
            id=f"r{len(self.runs)}", experiment_id=request.experiment_id, metadata=request.metadata
        )
        self.runs.append(run)
        return run

    def LogMetrics(self, request: Any, context: Context) -> metric_pb2.LogMetricsResponse:
        self.metrics.extend(request.metrics)
        return metric_pb2.LogMetricsResponse()

    def LinkArtifact(self, request: Any, context: Context) -> artifact_pb2.Artifact:
        self.linked.append(request)
        return artifact_pb2.Artifact(id=f"l{len(self.linked)}")

    def UploadArtifact(self, request: Any, context: Context) -> artifact_pb2.Artifact:
        self.uploaded.append(request)
        return artifact_pb2.Artifact(id=f"a-{request.name}")

    def UpdateRun(self, request: Any, context: Context) -> experiment_pb2.Run:
        self.updates.append(request)
        return experiment_pb2.Run(id=request.run_id)


class ScriptedEvaluations(evaluations_grpc.EvaluationsServiceServicer):
    """Knows one job that judged whatever it is asked about."""

    def ListJobs(self, request: Any, context: Context) -> evaluations_pb.ListEvaluationJobsResponse:
        return evaluations_pb.ListEvaluationJobsResponse(jobs=[evaluations_pb.EvaluationJob(job_uuid="judged")])


class VowelScoring(scoring_grpc.RewardScoringServiceServicer):
    """Scores by the regular expression of a request: the share of an answer's characters that fit it."""

    def Score(self, request: Any, context: Context) -> reward_scoring_pb2.RewardScoringResponse:
        if request.reward.HasField("judge"):
            context.abort(grpc.StatusCode.NOT_FOUND, f"model '{request.reward.judge.model}' does not exist")
        try:
            pattern = re.compile(request.reward.regex.pattern)
        except re.error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "reward.regex.pattern: a regular expression")
        entries = []
        for generations in request.dialog_generations:
            scored = []
            for answer in generations.sampled_generations:
                text = answer.completion.content.text
                share = len(pattern.findall(text)) / max(1, len(text))
                scored.append(reward_scoring_pb2.ScoredMessage(message=answer, score=share))
            entries.append(reward_scoring_pb2.ScoredDialogGenerations(scored_generations=scored))
        return reward_scoring_pb2.RewardScoringResponse(scored_generations=entries)


@dataclass
class Peers:
    """The scripted services and where they are."""

    models: ScriptedModels
    observability: ScriptedObservability
    address: str


@contextmanager
def peers(source: Path) -> Iterator[Peers]:
    """Serve the scripted services on loopback; models come from a folder."""
    models, observability = ScriptedModels(source), ScriptedObservability()
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    models_service_pb2_grpc.add_ModelsServiceServicer_to_server(models, server)
    observability_grpc.add_ObservabilityServiceServicer_to_server(observability, server)
    evaluations_grpc.add_EvaluationsServiceServicer_to_server(ScriptedEvaluations(), server)
    scoring_grpc.add_RewardScoringServiceServicer_to_server(VowelScoring(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield Peers(models, observability, f"127.0.0.1:{port}")
    finally:
        server.stop(None).wait()
