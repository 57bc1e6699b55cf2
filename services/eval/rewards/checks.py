"""Checks answers by verifiable rewards: ``python -m services.eval.rewards.checks``.

A request is ``{"kind", "settings", "pairs": [[answer, reference or null], ...]}``; it is answered with ``{"scores":
[[score, explanation], ...]}``, or with ``{"bad": [path, expected]}`` where the reward function itself can't be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from mesh.apart.serving import serve
from services.eval.rewards.verifiable import BadReward, exact_match, pattern_found, schema_fits

CHECKS: Final[Mapping[str, Callable[..., tuple[float, str]]]] = MappingProxyType(
    {"exact_match": exact_match, "regex": pattern_found, "json_schema": schema_fits}
)


def check(request: Any) -> dict[str, Any]:
    """Return the scores of the pairs of a request."""
    score = CHECKS[request["kind"]]
    try:
        return {"scores": [score(request["settings"], answer, reference) for answer, reference in request["pairs"]]}
    except BadReward as error:
        return {"bad": [error.path, error.expected]}


if __name__ == "__main__":
    serve(check)
