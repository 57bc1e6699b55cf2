"""The settings of reward scoring."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.config import setting


@dataclass(frozen=True)
class RewardsConfig:
    """Where code runs, and how much is done at once."""

    agents: str = setting(
        "ALTIPLANO_AGENTS_ADDRESS", "127.0.0.1:50052", "host:port of the agents service, whose sandbox runs unit tests."
    )
    models_at_once: int = setting("REWARD_CALLS_AT_ONCE", 8, "Calls of reward models and judges at once.")
    tests_at_once: int = setting("REWARD_TESTS_AT_ONCE", 4, "Runs of unit tests at once.")
    checks_at_once: int = setting("REWARD_CHECKS_AT_ONCE", 1, "Processes that check answers by patterns and schemas.")
    check_timeout_s: float = setting("REWARD_CHECK_TIMEOUT_S", 120.0, "Seconds for 64 answers in such a process.")
    check_memory_mib: int = setting("REWARD_CHECK_MEMORY_MIB", 1024, "Address space of such a process, in MiB.")

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing through."""
        if min(self.models_at_once, self.tests_at_once, self.checks_at_once) < 1:
            raise ValueError("REWARD_CALLS_AT_ONCE, REWARD_TESTS_AT_ONCE and REWARD_CHECKS_AT_ONCE are at least 1")
        if self.check_timeout_s <= 0 or self.check_memory_mib < 256:
            raise ValueError("REWARD_CHECK_TIMEOUT_S is positive and REWARD_CHECK_MEMORY_MIB at least 256")
