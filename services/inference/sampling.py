"""The contracts' sampling settings as the engine takes them, and the engine's results as the contracts spell them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.common.v1.sampling_pb2 import SamplingParams, SamplingStrategy
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.inference.v1 import inference_pb2 as pb
from mesh import json_text
from services.inference.engine import Delta, FinishReason, Guidance, GuidanceKind, Sampling, TokenLogprobs, Usage
from services.inference.prompt.prompt_format import PromptFormat

TOP_P_DEFAULT = 0.95


def engine_sampling(
    params: SamplingParams,
    *,
    logprobs: int | None = None,
    prompt_logprobs: int | None = None,
    stop_token_ids: Sequence[int] = (),
) -> Sampling:
    """Return the engine's settings; ``logprobs`` is the number of candidates, None for no log probabilities.

    The strategy decides which settings count: greedy uses none of them, top_p uses temperature and top_p, top_k uses
    temperature and top_k.
    """
    by_mass = params.strategy == SamplingStrategy.SAMPLING_STRATEGY_TOP_P
    by_count = params.strategy == SamplingStrategy.SAMPLING_STRATEGY_TOP_K
    temperature = params.temperature if params.HasField("temperature") else 1.0
    return Sampling(
        temperature=temperature if by_mass or by_count else 0.0,
        top_p=(params.top_p if params.HasField("top_p") else TOP_P_DEFAULT) if by_mass else 1.0,
        top_k=params.top_k if by_count else 0,
        max_tokens=params.max_tokens or None,
        repetition_penalty=params.repetition_penalty if params.HasField("repetition_penalty") else 1.0,
        seed=params.seed if params.HasField("seed") else None,
        stop=tuple(params.stop),
        stop_token_ids=tuple(stop_token_ids),
        logprobs=logprobs,
        prompt_logprobs=prompt_logprobs,
    )


def engine_guidance(guidance: pb.Guidance) -> Guidance | None:
    """Return the restriction as the engine takes it, None for free text."""
    match guidance.WhichOneof("guidance"):
        case "json_schema":
            text = json_text.write(JsonValue(object_value=guidance.json_schema))
            return Guidance(GuidanceKind.JSON_SCHEMA, text)
        case "json_object":
            return Guidance(GuidanceKind.JSON_OBJECT)
        case "regex":
            return Guidance(GuidanceKind.REGEX, guidance.regex)
        case "grammar":
            return Guidance(GuidanceKind.GRAMMAR, guidance.grammar)
        case _:
            return None


def stop_reason(delta: Delta, prompt_format: PromptFormat | None) -> StopReason.ValueType:
    """Return why a sequence ended; unspecified while it goes on."""
    if delta.finish is None:
        return StopReason.STOP_REASON_UNSPECIFIED
    if prompt_format is not None:
        return prompt_format.stop_reason(delta.finish.value, delta.stop if isinstance(delta.stop, int) else None)
    if delta.finish is FinishReason.LENGTH:
        return StopReason.STOP_REASON_OUT_OF_TOKENS
    return StopReason.STOP_REASON_END_OF_TURN


def usage_message(usage: Usage) -> pb.Usage:
    """Return token counts as the contract spells them."""
    return pb.Usage(prompt_tokens=usage.prompt, completion_tokens=usage.completion, cached_tokens=usage.cached)


def logprobs_messages(positions: Iterable[TokenLogprobs | None]) -> list[pb.TokenLogProbs]:
    """Return one message per position; a position without any (the first of a prompt) is empty."""
    return [
        pb.TokenLogProbs()
        if position is None
        else pb.TokenLogProbs(logprobs_by_token={**dict(position.candidates), position.token: position.logprob})
        for position in positions
    ]
