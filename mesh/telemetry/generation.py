"""Metrics of what models do, by OpenTelemetry's conventions for generative AI, served for Prometheus.

``gen_ai.server.request.duration``, ``gen_ai.server.time_to_first_token``, ``gen_ai.server.time_per_output_token`` and
``gen_ai.client.token.usage`` are histograms with the attributes ``gen_ai.operation.name``, ``gen_ai.provider.name``,
``gen_ai.request.model`` and, where they belong, ``error.type`` and ``gen_ai.token.type``. Dots become underscores. A
model is named once it has answered well: names that callers make up don't become series.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry

from mesh.telemetry.conventions import OURS
from mesh.telemetry.durations import Durations

_BY_MODEL: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_EACH: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
OTHER: Final = "_OTHER"


class Generation:
    """The metrics of the models of a process; a process without models shows none of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Add the families to what is scraped."""
        self._whole = Durations(
            "gen_ai_server_request_duration_seconds",
            "Duration of a model's work.",
            (*_BY_MODEL, "error_type"),
            registry,
            _SECONDS,
        )
        self._first = Durations(
            "gen_ai_server_time_to_first_token_seconds",
            "Time to the first token of a streamed answer.",
            _BY_MODEL,
            registry,
            _FIRST,
        )
        self._each = Durations(
            "gen_ai_server_time_per_output_token_seconds",
            "Time per token after the first one of a streamed answer.",
            _BY_MODEL,
            registry,
            _EACH,
        )
        self._tokens = Durations(
            "gen_ai_client_token_usage",
            "Tokens of a request.",
            (*_BY_MODEL, "gen_ai_token_type"),
            registry,
            _TOKENS,
        )
        self._answering: set[str] = set()

    def done(self, doing: str, model: str, error: str, seconds: float) -> None:
        """Note an operation that is over; ``error`` is empty if it went well."""
        if not error:
            self._answering.add(model)
        self._whole.series(*self._labels(doing, model), error).observe(seconds)

    def used(self, doing: str, model: str, tokens: tuple[int, int]) -> None:
        """Note the tokens of a prompt and of its answer."""
        for kind, count in zip(("input", "output"), tokens, strict=True):
            self._tokens.series(*self._labels(doing, model), kind).observe(count)

    def streamed(self, doing: str, model: str, first: float, whole: float, tokens: int) -> None:
        """Note the seconds up to the first token and to the last, and how many tokens an answer had."""
        labels = self._labels(doing, model)
        self._first.series(*labels).observe(first)
        if tokens > 1:
            self._each.series(*labels).observe((whole - first) / (tokens - 1))

    def _labels(self, doing: str, model: str) -> tuple[str, str, str]:
        return doing, OURS, model if model in self._answering else OTHER
