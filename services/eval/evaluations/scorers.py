"""What answers are compared with references by; the numbers are those of the reference libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from services.eval.evaluations import squad
from services.eval.evaluations.sample import Statistics

ROUGE: Final = ("rouge1", "rouge2", "rougeL")


class Scorer(Protocol):
    """Compares an answer with references."""

    def score(self, answer: str, references: Sequence[str]) -> tuple[Mapping[str, float], Statistics]:
        """Return the scores of one sample by the metric's name, and the statistics behind them."""
        ...


class ExactMatch:
    """SQuAD's exact match as ``em``."""

    def score(self, answer: str, references: Sequence[str]) -> tuple[Mapping[str, float], Statistics]:
        """Return 0 or 1."""
        return means({"em": squad.exact_match(answer, references)})


class F1:
    """SQuAD's F1 as ``f1``."""

    def score(self, answer: str, references: Sequence[str]) -> tuple[Mapping[str, float], Statistics]:
        """Return 0 to 1."""
        return means({"f1": squad.f1(answer, references)})


class Rouge:
    """F-measures of ROUGE with stemming, the best over the references."""

    def __init__(self) -> None:
        self._scorer = RougeScorer(list(ROUGE), use_stemmer=True)

    def score(self, answer: str, references: Sequence[str]) -> tuple[Mapping[str, float], Statistics]:
        """Return 0 to 1 for each variant."""
        found = self._scorer.score_multi(list(references), answer)
        return means({name: float(found[name].fmeasure) for name in ROUGE})


class Bleu:
    """BLEU as sacrebleu computes it, 0 to 100: smoothed with effective order for one sample, plain for all together.

    Its statistics are the lengths of answer and reference and the numbers of matching and of all n-grams.
    """

    def __init__(self) -> None:
        self._sentence = BLEU(effective_order=True)

    def score(self, answer: str, references: Sequence[str]) -> tuple[Mapping[str, float], Statistics]:
        """Return the score of one sample."""
        found = self._sentence.sentence_score(answer, list(references))
        counted = [found.sys_len, found.ref_len, *found.counts, *found.totals]
        return {"bleu": float(found.score)}, {"bleu": [float(number) for number in counted]}


def means(
    scores: Mapping[str, float], weights: Mapping[str, float] | None = None
) -> tuple[Mapping[str, float], Statistics]:
    """Return scores with the statistics of their means: the score and how much it counts, which is 1 by default."""
    counted = {name: (weights or {}).get(name, 1.0) for name in scores}
    return scores, {name: [score * counted[name], counted[name]] for name, score in scores.items()}
