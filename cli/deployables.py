"""The processes of a mesh, as the command line starts and reaches them. A new service is one row here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deployable:
    """A process: the module that runs it, its port on loopback, and the areas of the contracts that it serves.

    ``ready`` are full names of services whose health tells that the process does its work.
    """

    name: str
    module: str
    port: int
    areas: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where it is: ``ALTIPLANO_<NAME>_ADDRESS``, else its port on loopback."""
        return os.environ.get(f"ALTIPLANO_{self.name.upper()}_ADDRESS", f"127.0.0.1:{self.port}")


SERVICES: Final = (
    Deployable(
        "inference",
        "services.inference",
        50051,
        ("inference", "models", "openai"),
        ("llamastack.inference.v1.InferenceService",),
    ),
    Deployable(
        "agents",
        "services.agents",
        50052,
        ("agents", "safety", "tools"),
        (
            "llamastack.agents.v1.AgenticSystemService",
            "llamastack.safety.v1.SafetyService",
            "llamastack.tools.v1.ToolsService",
        ),
    ),
    Deployable(
        "memory",
        "services.memory",
        50053,
        ("memory",),
        ("llamastack.memory.v1.MemoryBanksService",),
    ),
    Deployable(
        "training",
        "services.training",
        50054,
        ("datasets", "post_training", "synthetic_data_generation"),
        (
            "llamastack.datasets.v1.DatasetsService",
            "llamastack.post_training.v1.PostTrainingService",
            "llamastack.synthetic_data_generation.v1.SyntheticDataGenerationService",
        ),
    ),
    Deployable(
        "eval",
        "services.eval",
        50055,
        ("evaluations", "observability", "reward_scoring"),
        (
            "llamastack.evaluations.v1.EvaluationsService",
            "llamastack.observability.v1.ObservabilityService",
            "llamastack.reward_scoring.v1.RewardScoringService",
        ),
    ),
)
GATEWAY: Final = Deployable("gateway", "gateway", 8080)


def serving(area: str) -> Deployable | None:
    """Return the service that serves an area, None if no service of this deployment does."""
    return next((service for service in SERVICES if area in service.areas), None)
