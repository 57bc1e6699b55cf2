"""Scores by the verifiable rewards, in a process of its own: patterns, schemas and answers may all be made to hurt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction
from mesh.errors import InvalidField
from mesh.json_text import write
from services.eval.rewards.answer import Answer, Score
from services.eval.rewards.verifiable import REFERENCE

PROGRAM: Final = "services.eval.rewards.checks"
_AT_ONCE: Final = 64


class Asking(Protocol):
    """A program that checks."""

    async def ask(self, request: Any) -> Any:
        """Return the program's answer; a MeshError when there is none."""
        ...


class Verified:
    """Scores by equality, regular expressions and JSON Schemas."""

    def __init__(self, checks: Asking) -> None:
        """Keep the program that checks."""
        self._checks = checks

    async def score(self, reward: RewardFunction, answers: Sequence[Answer]) -> list[Score]:
        """Return one score per answer; InvalidField for a reward that can't be used."""
        kind, settings = _settings(reward)
        compares = kind == "exact_match" or (kind == "regex" and REFERENCE in settings["pattern"])
        pairs = [(answer.text, answer.known_reference() if compares else None) for answer in answers]
        scores = []
        for start in range(0, len(pairs), _AT_ONCE):
            request = {"kind": kind, "settings": settings, "pairs": pairs[start : start + _AT_ONCE]}
            said = await self._checks.ask(request)
            if "bad" in said:
                path, expected = said["bad"]
                raise InvalidField(f"reward.{path}", expected)
            scores += [Score(value, explanation) for value, explanation in said["scores"]]
        return scores


def _settings(reward: RewardFunction) -> tuple[str, dict[str, Any]]:
    match reward.WhichOneof("reward"):
        case "exact_match":
            exact = reward.exact_match
            flags = {"ignore_case": exact.ignore_case, "normalize": exact.normalize}
            return "exact_match", {**flags, "extract": exact.extract if exact.HasField("extract") else None}
        case "regex":
            return "regex", {"pattern": reward.regex.pattern}
        case _:
            return "json_schema", {"schema": write(JsonValue(object_value=reward.json_schema.schema))}
