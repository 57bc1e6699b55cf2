"""Puts the evaluation service together; the only module that names concrete classes."""

from __future__ import annotations

import asyncio

from llamastack.reward_scoring.v1.reward_scoring_service_pb2_grpc import add_RewardScoringServiceServicer_to_server
from mesh.apart.program import Program, ProgramLimits
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.eval.config import EvalConfig
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


class App:
    """The service: its database and its server."""

    def __init__(self, config: EvalConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self._rewards = Rewards(config.rewards, self._client, config.peers.inference)
        self.server = Server(
            config.server,
            [Registration(add_RewardScoringServiceServicer_to_server, RewardScoringServicer(self._rewards.scoring))],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, [])

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._rewards.close()
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


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
