"""The statistics of a generation, taken outcome by outcome; see ``SyntheticDataGenerationResponse.statistics``."""

from __future__ import annotations

from llamastack.common.v1.value_pb2 import JsonValue
from mesh.json_text import value_of
from services.training.datasets.census import Sizes
from services.training.synthetic.answers import Outcome


class Tally:
    """Counts dialogs, samples and scores; a sample that came several times counts each time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counts = dict.fromkeys(
            ("num_dialogs", "num_dialogs_kept", "num_samples", "num_duplicates", "num_kept", "num_errors"), 0
        )
        self._scores = Sizes()
        self._kept = Sizes()
        self._tokens = 0

    @property
    def num_dialogs(self) -> int:
        """Dialogs so far."""
        return self._counts["num_dialogs"]

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        counts, samples = self._counts, sum(outcome.copies)
        counts["num_dialogs"] += 1
        counts["num_dialogs_kept"] += bool(outcome.kept)
        counts["num_samples"] += samples
        counts["num_duplicates"] += samples - len(outcome.copies)
        counts["num_kept"] += len(outcome.kept)
        counts["num_errors"] += outcome.errors
        self._tokens += outcome.tokens
        scores = outcome.scores
        for score, copies in zip(scores, outcome.copies, strict=True):
            for _ in range(copies):
                self._scores.add(score)
        for index in outcome.kept:
            self._kept.add(scores[index])

    def statistics(self, seconds: float) -> dict[str, JsonValue]:
        """Return the statistics; those of scores are left out while there is none."""
        described = {f"score_{name}": value for name, value in self._scores.described().items()}
        kept = self._kept.described()
        values = {
            **self._counts,
            **described,
            **({"kept_score_mean": kept["mean"]} if kept else {}),
            "completion_tokens": self._tokens,
            "seconds": round(seconds, 3),
        }
        return {name: value_of(value) for name, value in values.items()}
