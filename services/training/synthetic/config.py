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

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing through."""
        if not 1 <= self.batch <= 4096 or self.at_once < 1 or self.jobs_at_once < 1:
            raise ValueError("GENERATION_BATCH is 1 to 4096, GENERATIONS_AT_ONCE and GENERATION_JOBS_AT_ONCE positive")
