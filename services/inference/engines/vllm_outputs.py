"""What vLLM gives for a step of a request, as the deltas of our engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.inference.engine import Delta, FinishReason, Sampling, TokenLogprobs, Usage

if TYPE_CHECKING:
    from vllm import RequestOutput


def deltas_of(output: RequestOutput, counts: list[int], sampling: Sampling) -> list[Delta]:
    """Return one delta for each sequence that gained something.

    ``counts`` holds the tokens of each sequence so far and is brought up to date.
    """
    deltas = []
    for part in output.outputs:
        counts[part.index] += len(part.token_ids)
        usage = Usage(
            prompt=len(output.prompt_token_ids or ()), completion=sum(counts), cached=output.num_cached_tokens or 0
        )
        delta = Delta(index=part.index, text=part.text, token_ids=part.token_ids, usage=usage)
        if part.finish_reason is not None:
            delta.finish = FinishReason.LENGTH if part.finish_reason == "length" else FinishReason.STOP
            delta.stop = part.stop_reason
        if part.logprobs is not None:
            ids = part.token_ids
            delta.logprobs = [_logprobs(position, token) for position, token in zip(part.logprobs, ids, strict=True)]
        if output.prompt_logprobs and sampling.prompt_logprobs is not None:
            ids = output.prompt_token_ids or []
            delta.prompt_logprobs = [
                None if position is None else _logprobs(position, token)
                for position, token in zip(output.prompt_logprobs, ids, strict=True)
            ]
        deltas.append(delta)
    return deltas


def _logprobs(position: Any, token: int) -> TokenLogprobs:
    chosen = position[token]
    candidates = tuple((entry.decoded_token or "", entry.logprob) for entry in position.values())
    return TokenLogprobs(token=chosen.decoded_token or "", logprob=chosen.logprob, candidates=candidates)
