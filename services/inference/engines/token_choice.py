"""Chooses the next token of one sequence from the logits of a model; the only maths of sampling.

Penalties as in vLLM: repetition (Keskar et al. 2019) over prompt and output, presence and frequency over the output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch

from services.inference.engine import Sampling, TokenLogprobs


class TokenChoice:
    """The settings of one sequence and what it has generated."""

    def __init__(self, sampling: Sampling, index: int, prompt: Sequence[int], device: torch.device) -> None:
        """``index`` is the sequence's place among the choices, so that those of one seed differ."""
        self._sampling = sampling
        self._seen = set(prompt)
        self._counts: Counter[int] = Counter()
        self._generator: torch.Generator | None = None
        if sampling.seed is not None:
            self._generator = torch.Generator(device).manual_seed((sampling.seed + index) % 2**63)

    def choose(self, logits: torch.Tensor) -> int:
        """Return the next token for the float32 logits, of shape (vocabulary,)."""
        logits = self._penalized(logits)
        wanted = self._sampling
        if wanted.temperature == 0.0:
            token = int(logits.argmax())
        else:
            kept = _nucleus(_best(logits / wanted.temperature, wanted.top_k), wanted.top_p)
            token = int(torch.multinomial(kept.softmax(-1), 1, generator=self._generator))
        self._counts[token] += 1
        self._seen.add(token)
        return token

    def _penalized(self, logits: torch.Tensor) -> torch.Tensor:
        wanted = self._sampling
        if not (wanted.logit_bias or self._penalizing()):
            return logits
        logits = logits.clone()
        for token, bias in wanted.logit_bias.items():
            if token < len(logits):
                logits[token] += bias
        if wanted.repetition_penalty != 1.0:
            seen = torch.tensor(sorted(self._seen), device=logits.device)
            values = logits[seen]
            penalty = wanted.repetition_penalty
            logits[seen] = torch.where(values > 0, values / penalty, values * penalty)
        for token, count in self._counts.items():
            logits[token] -= wanted.presence_penalty + count * wanted.frequency_penalty
        return logits

    def _penalizing(self) -> bool:
        wanted = self._sampling
        return bool(wanted.repetition_penalty != 1.0 or wanted.presence_penalty or wanted.frequency_penalty)


def token_logprobs(logits: torch.Tensor, token: int, candidates: int, name: Callable[[int], str]) -> TokenLogprobs:
    """Return the log probability of a token under the logits as the model gave them, and the best candidates."""
    logprobs = logits.log_softmax(-1)
    values, tokens = logprobs.topk(min(candidates, len(logprobs)))
    pairs = zip(tokens.tolist(), values.tolist(), strict=True)
    return TokenLogprobs(
        token=name(token), logprob=float(logprobs[token]), candidates=tuple((name(one), value) for one, value in pairs)
    )


def _best(logits: torch.Tensor, count: int) -> torch.Tensor:
    """Return the logits of the ``count`` most probable tokens, the others at minus infinity; 0 keeps all."""
    if not 0 < count < len(logits):
        return logits
    return logits.masked_fill(logits < logits.topk(count).values[-1], -torch.inf)


def _nucleus(logits: torch.Tensor, mass: float) -> torch.Tensor:
    """Return the logits of the most probable tokens that together reach ``mass``, the others at minus infinity."""
    if mass >= 1.0:
        return logits
    ordered, order = logits.sort(descending=True)
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    return logits.index_fill(0, order[before >= mass], -torch.inf)
