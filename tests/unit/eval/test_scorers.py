"""Scores equal those of the libraries that define them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from rouge_score import rouge_scorer
from transformers.data.metrics import squad_metrics

from services.eval.evaluations import squad
from services.eval.evaluations.estimates import Resampling, differences, estimates
from services.eval.evaluations.scorers import ROUGE, Bleu, Rouge, means

PAIRS: list[tuple[str, list[str]]] = [
    ("The Eiffel Tower", ["eiffel tower"]),
    ("an apple, a day!", ["the apple day", "pear"]),
    ("", ["something"]),
    ("", [""]),
    ("the", ["a"]),
    ("...", ["something", "an"]),
    ("Zürich — größte Stadt", ["zürich größte stadt", "Bern"]),
    ("東京 は 日本 の 首都", ["日本 の 首都 は 東京"]),
    ("theatre another than", ["theatre an other than"]),
    ("x x x y", ["x y y", "x x"]),
    ("The quick brown foxes were jumping over the lazy dogs .", ["A quick brown fox jumps over a lazy dog."]),
    ("1,000.50 dollars", ["100050 dollars"]),
    ("don't\tstop\n now", ["dont stop now"]),
]


@pytest.mark.parametrize(("answer", "references"), PAIRS)
def test_exact_match_and_f1_are_those_of_squad(answer: str, references: Sequence[str]) -> None:
    wanted = [squad_metrics.compute_exact(reference, answer) for reference in references]
    assert squad.exact_match(answer, references) == max(wanted)
    assert squad.f1(answer, references) == max(squad_metrics.compute_f1(one, answer) for one in references)
    assert squad.normalize(answer) == squad_metrics.normalize_answer(answer)


@pytest.mark.parametrize(("answer", "references"), PAIRS)
def test_rouge_is_the_librarys(answer: str, references: list[str]) -> None:
    scorer = rouge_scorer.RougeScorer(list(ROUGE), use_stemmer=True)
    scores, _ = Rouge().score(answer, references)
    for name in ROUGE:
        assert scores[name] == max(scorer.score(one, answer)[name].fmeasure for one in references)


@pytest.mark.parametrize(("answer", "references"), PAIRS)
def test_bleu_of_a_sample_is_the_librarys(answer: str, references: list[str]) -> None:
    scores, _ = Bleu().score(answer, references)
    assert scores["bleu"] == sacrebleu.sentence_bleu(answer, references).score


def test_bleu_of_all_samples_is_the_librarys_over_the_corpus() -> None:
    statistics = [Bleu().score(answer, references)[1] for answer, references in PAIRS]
    most = max(len(references) for _, references in PAIRS)
    streams = [[refs[n] if n < len(refs) else None for _, refs in PAIRS] for n in range(most)]
    wanted = sacrebleu.corpus_bleu([answer for answer, _ in PAIRS], streams)  # type: ignore[arg-type]  # None is a gap
    assert estimates(statistics, Resampling())["bleu"].value == wanted.score
    alone = [Bleu().score(answer, references[:1])[1] for answer, references in PAIRS]
    single = sacrebleu.corpus_bleu([answer for answer, _ in PAIRS], [[refs[0] for _, refs in PAIRS]])
    assert estimates(alone, Resampling())["bleu"].value == single.score


def test_perplexity_is_over_tokens_and_not_over_samples() -> None:
    statistics = [{"perplexity": [2.0, 1.0]}, {"perplexity": [4.0, 7.0]}]
    assert estimates(statistics, Resampling())["perplexity"].value == pytest.approx(np.exp(6 / 8))


def test_intervals_are_those_of_the_bootstrap() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(0.5, 0.1, 400)
    found = estimates([means({"em": value})[1] for value in values], Resampling(resamples=4000))["em"]
    spread = 1.96 * values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - spread, abs=0.1 * spread)
    assert found.high == pytest.approx(values.mean() + spread, abs=0.1 * spread)
    wider = estimates([means({"em": value})[1] for value in values], Resampling(confidence=0.99))["em"]
    assert wider.low is not None
    assert found.low is not None
    assert wider.low < found.low


def test_the_same_seed_gives_the_same_interval() -> None:
    samples = [means({"em": 1 / (number + 1)})[1] for number in range(50)]
    assert estimates(samples, Resampling(seed=5)) == estimates(samples, Resampling(seed=5))
    assert estimates(samples, Resampling(seed=5)) != estimates(samples, Resampling(seed=6))


def test_a_single_sample_has_no_interval_and_one_without_weight_does_not_count() -> None:
    found = estimates([means({"em": 1.0})[1], means({"em": 0.0}, {"em": 0.0})[1]], Resampling())["em"]
    assert (found.value, found.low, found.high, found.samples) == (1.0, None, None, 1)


def test_differences_are_resampled_by_pairs() -> None:
    generator = np.random.default_rng(2)
    base = generator.normal(0.5, 0.3, 200)
    shift = generator.normal(0.05, 0.01, 200)
    pairs = [(means({"f1": one})[1], means({"f1": one + more})[1]) for one, more in zip(base, shift, strict=True)]
    found = differences(pairs, Resampling())["f1"]
    assert found.candidate - found.baseline == pytest.approx(shift.mean())
    assert 0.045 < found.low < shift.mean() < found.high < 0.055
    assert found.pairs == 200
