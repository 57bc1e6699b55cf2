"""Puts the evaluation service together; the only module that names concrete classes."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from llamastack.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from llamastack.evaluations.v1.evaluations_service_pb2_grpc import add_EvaluationsServiceServicer_to_server
from llamastack.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from llamastack.memory.v1.memory_banks_service_pb2_grpc import MemoryBanksServiceStub
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub
from llamastack.observability.v1.observability_service_pb2_grpc import add_ObservabilityServiceServicer_to_server
from llamastack.post_training.v1.post_training_service_pb2_grpc import PostTrainingServiceStub
from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import (
    RewardScoringServiceStub,
    add_RewardScoringServiceServicer_to_server,
)
from llamastack.safety.v1.safety_service_pb2_grpc import SafetyServiceStub
from mesh.apart.program import Program, ProgramLimits
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.ids import new_id
from mesh.jobs.store import MIGRATIONS as JOBS
from mesh.jobs.store import JobStore, Lease
from mesh.jobs.worker import Worker, WorkerConfig
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.eval.config import EvalConfig
from services.eval.evaluations.evaluator import Evaluator, Parts
from services.eval.evaluations.harness import Endpoint, LmEval
from services.eval.evaluations.joblog import JobLogs
from services.eval.evaluations.jobs import Evaluations
from services.eval.evaluations.kinds import REQUESTS
from services.eval.evaluations.reporting import Reporter
from services.eval.evaluations.results import Results
from services.eval.evaluations.rows import Datasets
from services.eval.evaluations.servicer import EvaluationsServicer
from services.eval.evaluations.tables import MIGRATIONS as EVALUATIONS
from services.eval.evaluations.targets import Targets
from services.eval.evaluations.tasks.making import Peers
from services.eval.observability.artifacts import Artifacts
from services.eval.observability.experiments import Experiments
from services.eval.observability.export import Export, Records, Trackers
from services.eval.observability.files import Files
from services.eval.observability.journal import Journal
from services.eval.observability.measurements import Measurements
from services.eval.observability.servicer import ObservabilityServicer, Record
from services.eval.observability.spans import Spans
from services.eval.observability.tables import MIGRATIONS as OBSERVABILITY
from services.eval.rewards.config import RewardsConfig
from services.eval.rewards.inference import Inference as RewardInference
from services.eval.rewards.judge import ByJudge
from services.eval.rewards.reward_model import ByRewardModel
from services.eval.rewards.scoring import Scoring
from services.eval.rewards.servicer import RewardScoringServicer
from services.eval.rewards.tools import CodeRunner
from services.eval.rewards.unit_tests import ByUnitTests
from services.eval.rewards.verified import PROGRAM as CHECKS
from services.eval.rewards.verified import Verified

QUEUE: Final = "evaluations"
TABLES: Final = (
    JOBS,
    OBSERVABILITY,
    EVALUATIONS,
)
"""The migrations of the service, in their order."""


class App:
    """The service: its database and its server."""

    def __init__(self, config: EvalConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self._rewards = Rewards(config.rewards, self._client, config.peers.inference)
        self._record = _record(config, self._storage)
        parts = _parts(config, self._storage, self._client, self._record)
        self._worker = _worker(config, parts)
        self._evaluations = Evaluations(parts.store, parts.results, parts.logs, parts.reporter, self._worker.wake)
        self.server = Server(
            config.server,
            [
                Registration(add_ObservabilityServiceServicer_to_server, ObservabilityServicer(self._record)),
                Registration(add_EvaluationsServiceServicer_to_server, EvaluationsServicer(self._evaluations)),
                Registration(add_RewardScoringServiceServicer_to_server, RewardScoringServicer(self._rewards.scoring)),
            ],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
                innermost=telemetry.semantics,
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date and go on with the jobs that were left."""
        await migrate(self._storage, TABLES)
        self._worker.start()

    async def stop(self) -> None:
        """Give the jobs back, close the connections and the database, and send the last spans."""
        await self._worker.stop()
        await self._rewards.close()
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _record(config: EvalConfig, storage: Storage) -> Record:
    """Return what is reported, by the database and the store of artifacts."""
    experiments, measurements = Experiments(storage, time.time), Measurements(storage)
    files = Files(config.artifact_store(), config.artifacts.places, config.artifacts.s3_endpoint)
    artifacts = Artifacts(storage, files, config.artifacts.max_bytes, time.time)
    trackers = Trackers(config.mlflow.uri, config.mlflow.hosts, config.mlflow.timeout_s)
    return Record(
        experiments=experiments,
        measurements=measurements,
        artifacts=artifacts,
        journal=Journal(storage),
        spans=Spans(storage),
        export=Export(Records(experiments, measurements, artifacts), trackers),
    )


def _parts(config: EvalConfig, storage: Storage, client: Client, record: Record) -> Parts:
    """Return what evaluation jobs are made from and with."""
    peers = config.peers
    inference, training = client.channel(peers.inference), client.channel(peers.training)
    endpoint = Endpoint(config.harness.url, config.harness.key)
    return Parts(
        store=JobStore(storage, QUEUE, Lease(config.jobs.lease_s)),
        results=Results(storage),
        logs=JobLogs(storage, time.time),
        reporter=Reporter(record.experiments, record.measurements, record.artifacts, record.journal),
        datasets=Datasets(DatasetsServiceStub(training)),
        targets=Targets(ModelsServiceStub(inference), PostTrainingServiceStub(training)),
        peers=Peers(
            inference=InferenceServiceStub(inference),
            memory=MemoryBanksServiceStub(client.channel(peers.memory)),
            safety=SafetyServiceStub(client.channel(peers.agents)),
            rewards=RewardScoringServiceStub(client.channel(peers.rewards)),
        ),
        harness=LmEval(config.harness.tasks, endpoint, config.harness.timeout_s, config.data / "harness"),
    )


def _worker(config: EvalConfig, parts: Parts) -> Worker:
    """Return what runs evaluation jobs."""
    pace = WorkerConfig(
        owner=f"eval-{new_id()}",
        concurrency=config.jobs.concurrency,
        poll_s=config.jobs.poll_s,
        renew_s=config.jobs.poll_s,
    )
    return Worker(parts.store, dict.fromkeys(REQUESTS, Evaluator(parts)), pace)


class Rewards:
    """Reward scoring and what has to be closed behind it."""

    def __init__(self, config: RewardsConfig, client: Client, inference_address: str) -> None:
        """Build it; nothing is started before its first use."""
        inference = RewardInference(client.channel(inference_address))
        limits = ProgramLimits(
            timeout_s=config.check_timeout_s, memory_mib=config.check_memory_mib, at_once=config.checks_at_once
        )
        self._checks = Program(CHECKS, "The check of the answers", limits)
        calls, tests = asyncio.Semaphore(config.models_at_once), asyncio.Semaphore(config.tests_at_once)
        verified = Verified(self._checks)
        self.scoring = Scoring(
            {
                "reward_model": ByRewardModel(inference, calls),
                "exact_match": verified,
                "regex": verified,
                "json_schema": verified,
                "unit_test": ByUnitTests(CodeRunner(client.channel(config.agents)), tests),
                "judge": ByJudge(inference, calls),
            }
        )

    async def close(self) -> None:
        """End the program that checks."""
        await self._checks.close()


def _companions(config: EvalConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("eval")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
