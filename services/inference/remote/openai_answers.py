"""Answers of OpenAI's API, as servers elsewhere give them in JSON, as messages of ``llamastack.openai.v1``.

Members that no message has are passed over; a member of another type than the API says is the server's defect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from llamastack.openai.v1 import chat_message_pb2, chat_pb2, chat_tool_pb2, completion_pb2, embedding_pb2, usage_pb2
from mesh.errors import BackendUnavailable

Json = Mapping[str, Any]
Answer = TypeVar("Answer")

FINISH_REASONS: Final = {
    "stop": usage_pb2.FINISH_REASON_STOP,
    "length": usage_pb2.FINISH_REASON_LENGTH,
    "tool_calls": usage_pb2.FINISH_REASON_TOOL_CALLS,
    "function_call": usage_pb2.FINISH_REASON_TOOL_CALLS,
    "content_filter": usage_pb2.FINISH_REASON_CONTENT_FILTER,
}


def understood(read: Callable[[Json], Answer], answer: Json) -> Answer:
    """Return the message of an answer.

    Raises:
        BackendUnavailable: the answer is not what OpenAI's API says.
    """
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BackendUnavailable("the server of the model gave an answer that can't be read") from error


def chat_response(answer: Json) -> chat_pb2.ChatCompletionResponse:
    """Return a whole chat completion."""
    return chat_pb2.ChatCompletionResponse(
        choices=[_chat_choice(choice) for choice in answer["choices"]], usage=_usage(answer), **_envelope(answer)
    )


def chat_chunk(answer: Json) -> chat_pb2.ChatCompletionChunk:
    """Return a piece of a chat completion."""
    return chat_pb2.ChatCompletionChunk(
        choices=[_chunk_choice(choice) for choice in answer.get("choices") or ()],
        usage=_usage(answer),
        **_envelope(answer),
    )


def completion_response(answer: Json) -> completion_pb2.CompletionResponse:
    """Return a completion or a piece of one."""
    return completion_pb2.CompletionResponse(
        choices=[_completion_choice(choice) for choice in answer.get("choices") or ()],
        usage=_usage(answer),
        **_envelope(answer),
    )


def embeddings_response(answer: Json) -> embedding_pb2.EmbeddingsResponse:
    """Return vectors."""
    usage = answer.get("usage") or {}
    tokens = usage.get("prompt_tokens") or 0
    return embedding_pb2.EmbeddingsResponse(
        data=[
            embedding_pb2.Embedding(index=item.get("index", position), embedding=_vector(item["embedding"]))
            for position, item in enumerate(answer["data"])
        ],
        model=answer.get("model") or "",
        usage=embedding_pb2.EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _envelope(answer: Json) -> dict[str, Any]:
    return {
        "id": answer.get("id") or "",
        "created": answer.get("created") or 0,
        "model": answer.get("model") or "",
        "system_fingerprint": answer.get("system_fingerprint"),
    }


def _usage(answer: Json) -> usage_pb2.Usage | None:
    usage = answer.get("usage")
    if not usage:
        return None
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return usage_pb2.Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=usage_pb2.PromptTokensDetails(cached_tokens=cached),
    )


def _finish_reason(choice: Json) -> usage_pb2.FinishReason.ValueType | None:
    reason = choice.get("finish_reason")
    return None if reason is None else FINISH_REASONS.get(reason, usage_pb2.FINISH_REASON_STOP)


def _chat_choice(choice: Json) -> chat_pb2.ChatCompletionChoice:
    message = choice["message"]
    return chat_pb2.ChatCompletionChoice(
        index=choice.get("index", 0),
        message=chat_message_pb2.ChatCompletionMessage(
            content=message.get("content"),
            refusal=message.get("refusal"),
            tool_calls=[_call(call) for call in message.get("tool_calls") or ()],
        ),
        logprobs=_chat_logprobs(choice),
        finish_reason=_finish_reason(choice),
    )


def _call(call: Json) -> chat_tool_pb2.ChatToolCall:
    function = call["function"]
    return chat_tool_pb2.ChatToolCall(
        id=call.get("id") or "",
        function=chat_tool_pb2.ChatFunctionCall(name=function["name"], arguments=function.get("arguments") or ""),
    )


def _chunk_choice(choice: Json) -> chat_pb2.ChatCompletionChunkChoice:
    delta = choice.get("delta") or {}
    return chat_pb2.ChatCompletionChunkChoice(
        index=choice.get("index", 0),
        delta=chat_pb2.ChatCompletionDelta(
            role=chat_message_pb2.CHAT_ROLE_ASSISTANT if delta.get("role") else chat_message_pb2.CHAT_ROLE_UNSPECIFIED,
            content=delta.get("content"),
            refusal=delta.get("refusal"),
            tool_calls=[_call_delta(call, position) for position, call in enumerate(delta.get("tool_calls") or ())],
        ),
        logprobs=_chat_logprobs(choice),
        finish_reason=_finish_reason(choice),
    )


def _call_delta(call: Json, position: int) -> chat_tool_pb2.ChatToolCallDelta:
    function = call.get("function") or {}
    begins = call.get("id") is not None
    return chat_tool_pb2.ChatToolCallDelta(
        index=call.get("index", position),
        id=call.get("id"),
        type=chat_tool_pb2.CHAT_TOOL_TYPE_FUNCTION if begins else chat_tool_pb2.CHAT_TOOL_TYPE_UNSPECIFIED,
        function=chat_tool_pb2.ChatFunctionCallDelta(name=function.get("name"), arguments=function.get("arguments")),
    )


def _chat_logprobs(choice: Json) -> chat_pb2.ChoiceLogprobs | None:
    content = (choice.get("logprobs") or {}).get("content")
    if content is None:
        return None
    return chat_pb2.ChoiceLogprobs(
        content=[chat_pb2.TokenLogprob(**_token(position), top_logprobs=_candidates(position)) for position in content]
    )


def _candidates(position: Json) -> list[chat_pb2.TopLogprob]:
    return [chat_pb2.TopLogprob(**_token(candidate)) for candidate in position.get("top_logprobs") or ()]


def _token(position: Json) -> dict[str, Any]:
    return {
        "token": position["token"],
        "logprob": position["logprob"],
        "bytes": position.get("bytes") or position["token"].encode(),
    }


def _completion_choice(choice: Json) -> completion_pb2.CompletionChoice:
    return completion_pb2.CompletionChoice(
        index=choice.get("index", 0),
        text=choice.get("text") or "",
        logprobs=_completion_logprobs(choice.get("logprobs")),
        finish_reason=_finish_reason(choice),
    )


def _completion_logprobs(logprobs: Json | None) -> completion_pb2.CompletionLogprobs | None:
    if logprobs is None:
        return None
    candidates = [
        completion_pb2.CandidateLogprobs(values=completion_pb2.LogprobByToken(values=values))
        if values is not None
        else completion_pb2.CandidateLogprobs()
        for values in logprobs.get("top_logprobs") or ()
    ]
    return completion_pb2.CompletionLogprobs(
        tokens=logprobs.get("tokens") or (),
        token_logprobs=[completion_pb2.OptionalLogprob(value=value) for value in logprobs.get("token_logprobs") or ()],
        top_logprobs=candidates,
        text_offset=logprobs.get("text_offset") or (),
    )


def _vector(vector: Any) -> embedding_pb2.EmbeddingVector:
    if isinstance(vector, str):
        return embedding_pb2.EmbeddingVector(base64=vector)
    return embedding_pb2.EmbeddingVector(values=embedding_pb2.FloatVector(values=vector))
