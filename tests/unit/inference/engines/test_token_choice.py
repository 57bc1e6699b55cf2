"""How the next token is chosen from given logits."""

from __future__ import annotations

import math

import pytest
import torch

from services.inference.engine import Sampling
from services.inference.engines.token_choice import TokenChoice, token_logprobs

CPU = torch.device("cpu")
LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0])


def choice(sampling: Sampling, prompt: tuple[int, ...] = ()) -> TokenChoice:
    return TokenChoice(sampling, 0, prompt, CPU)


def sampled(sampling: Sampling) -> set[int]:
    return {TokenChoice(sampling, index, (), CPU).choose(LOGITS) for index in range(200)}


def test_greedy_takes_the_most_probable_token() -> None:
    assert choice(Sampling()).choose(LOGITS) == 1


def test_a_bias_is_added_and_one_beyond_the_vocabulary_is_not_looked_at() -> None:
    assert choice(Sampling(logit_bias={3: 5.0, 99: 100.0})).choose(LOGITS) == 3


def test_a_repetition_penalty_divides_positive_and_multiplies_negative_logits_of_tokens_that_occurred() -> None:
    assert choice(Sampling(repetition_penalty=2.0), prompt=(1,)).choose(LOGITS) == 2
    assert choice(Sampling(repetition_penalty=2.0), prompt=(0,)).choose(torch.tensor([-1.0, -1.5])) == 1


def test_presence_counts_once_and_frequency_each_time_and_neither_the_prompt() -> None:
    presence = choice(Sampling(presence_penalty=1.5), prompt=(1,))
    assert [presence.choose(LOGITS) for _ in range(3)] == [1, 2, 1]
    frequency = choice(Sampling(frequency_penalty=0.75), prompt=(1,))
    assert [frequency.choose(LOGITS) for _ in range(5)] == [1, 1, 2, 1, 2]


def test_logits_of_the_caller_stay_as_they_are() -> None:
    before = LOGITS.clone()
    choice(Sampling(repetition_penalty=2.0, logit_bias={0: 1.0}), prompt=(1,)).choose(LOGITS)
    assert LOGITS.equal(before)


def test_sampling_keeps_to_top_k_and_top_p() -> None:
    assert sampled(Sampling(temperature=5.0, seed=1)) == {0, 1, 2, 3}
    assert sampled(Sampling(temperature=5.0, top_k=2, seed=1)) == {1, 2}
    assert sampled(Sampling(temperature=1.0, top_p=0.7, seed=1)) == {1, 2}
    assert sampled(Sampling(temperature=1.0, top_p=0.6, seed=1)) == {1}


def test_log_probabilities_name_the_token_and_the_best_candidates() -> None:
    total = math.log(sum(map(math.exp, LOGITS.tolist())))
    got = token_logprobs(LOGITS, 0, 2, lambda token: f"t{token}")
    assert got.token == "t0"
    assert got.logprob == pytest.approx(1.0 - total)
    assert dict(got.candidates) == {"t1": pytest.approx(3.0 - total), "t2": pytest.approx(2.0 - total)}
