"""What all answers of one request have in common: id, time, model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from llamastack.openai.v1.usage_pb2 import PromptTokensDetails, Usage
from services.inference.engine import Usage as EngineUsage
from services.inference.entry import Target


@dataclass(frozen=True, slots=True)
class Envelope:
    """The members of an answer that say where it comes from; ``created`` in seconds since 1970."""

    id: str
    created: int
    model: str
    system_fingerprint: str

    def members(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "id": self.id,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.system_fingerprint,
        }


def envelope(prefix: str, target: Target, created: int) -> Envelope:
    """Return the members for a new answer, whose id begins with ``prefix``."""
    info = target.info
    state = f"{target.origin} {info.name} {info.quantization} {info.context_length}"
    fingerprint = hashlib.sha256(state.encode()).hexdigest()[:12]
    return Envelope(f"{prefix}-{uuid4().hex}", created, target.adapter or target.model_id, f"fp_{fingerprint}")


def usage_message(prompt: int, completion: int, cached: int) -> Usage:
    """Return token counts."""
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=cached),
    )


def usage_of(usage: EngineUsage) -> Usage:
    """Return the engine's token counts."""
    return usage_message(usage.prompt, usage.completion, usage.cached)
