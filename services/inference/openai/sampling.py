"""The sampling settings of OpenAI's API, whose defaults are temperature 1.0 and top_p 1.0, as the engine takes them."""

from __future__ import annotations

from collections.abc import Sequence

from llamastack.openai.v1.chat_pb2 import ChatCompletionRequest
from llamastack.openai.v1.completion_pb2 import CompletionRequest
from llamastack.openai.v1.usage_pb2 import Stop
from services.inference.engine import Sampling

COMPLETION_TOKENS = 16


def chat_sampling(request: ChatCompletionRequest, stop_token_ids: Sequence[int]) -> Sampling:
    """Return the settings of a chat completion, which goes up to the end of the context by default."""
    limit = None
    if request.HasField("max_completion_tokens"):
        limit = request.max_completion_tokens
    elif request.HasField("max_tokens"):
        limit = request.max_tokens
    logprobs = request.top_logprobs if request.logprobs else None
    return _sampling(request, limit, logprobs, stop_token_ids=stop_token_ids)


def completion_sampling(request: CompletionRequest) -> Sampling:
    """Return the settings of a completion, which has 16 tokens by default.

    Engines generate at least one token; who asked for none leaves it out of the answer.
    """
    limit = request.max_tokens if request.HasField("max_tokens") else COMPLETION_TOKENS
    logprobs = request.logprobs if request.HasField("logprobs") else None
    return _sampling(request, max(limit, 1), logprobs, prompt_logprobs=logprobs if request.echo else None)


def _sampling(
    request: ChatCompletionRequest | CompletionRequest,
    max_tokens: int | None,
    logprobs: int | None,
    *,
    stop_token_ids: Sequence[int] = (),
    prompt_logprobs: int | None = None,
) -> Sampling:
    return Sampling(
        n=request.n if request.HasField("n") else 1,
        temperature=request.temperature if request.HasField("temperature") else 1.0,
        top_p=request.top_p if request.HasField("top_p") else 1.0,
        top_k=request.top_k,
        max_tokens=max_tokens,
        repetition_penalty=request.repetition_penalty if request.HasField("repetition_penalty") else 1.0,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        seed=request.seed if request.HasField("seed") else None,
        stop=_stop(request.stop),
        stop_token_ids=tuple(stop_token_ids),
        logit_bias={int(token): bias for token, bias in request.logit_bias.items()},
        logprobs=logprobs,
        prompt_logprobs=prompt_logprobs,
    )


def _stop(stop: Stop) -> tuple[str, ...]:
    return (stop.text,) if stop.WhichOneof("stop") == "text" else tuple(stop.texts.values)
