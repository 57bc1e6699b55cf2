"""The settings of synthetic data generation."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.config import setting


@dataclass(frozen=True)
class SyntheticConfig:
    """Everything about synthetic data."""

    model: str = setting("GENERATION_MODEL_ID", "altiplano-builtin", "The model that answers by default.")
    reward_model: str = setting(
        "REWARD_MODEL_ID", "", "The reward model where a request names no reward; empty for none."
    )
    batch: int = setting("GENERATION_BATCH", 64, "Samples per call of the inference service.")
    at_once: int = setting("GENERATIONS_AT_ONCE", 8, "Calls of Generate at once; more are RESOURCE_EXHAUSTED.")
    jobs_at_once: int = setting("GENERATION_JOBS_AT_ONCE", 1, "Generation jobs that run at a time; others wait.")

    lease_s: float = setting(
        "GENERATION_LEASE_S", 30.0, "Seconds without a sign of life after which another process takes a job over."
    )
    attempts: int = setting("GENERATION_ATTEMPTS", 20, "Processes that a job may lose before it fails.")

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing through."""
        if not 1 <= self.batch <= 4096 or self.at_once < 1 or self.jobs_at_once < 1:
            raise ValueError("GENERATION_BATCH is 1 to 4096, GENERATIONS_AT_ONCE and GENERATION_JOBS_AT_ONCE positive")
        if self.lease_s < 1 or self.attempts < 1:
            raise ValueError("GENERATION_LEASE_S and GENERATION_ATTEMPTS: at least 1 is needed")
