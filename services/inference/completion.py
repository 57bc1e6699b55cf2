"""Text completion, embedding and scoring: what needs no prompt format."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import exp
from uuid import uuid4

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.inference.v1 import inference_pb2 as pb
from mesh.errors import InvalidField
from services.inference.catalog import Catalog
from services.inference.chat import GENERATING, check_target
from services.inference.engine import (
    Delta,
    EngineInfo,
    GenerateRequest,
    ModelKind,
    Prompt,
    ScoredInput,
    Scores,
    TextPair,
    Usage,
)
from services.inference.entry import Target
from services.inference.prompt.prompt_format import Conversation
from services.inference.sampling import (
    engine_guidance,
    engine_sampling,
    logprobs_messages,
    stop_reason,
    usage_message,
)

SCORING = frozenset({ModelKind.REWARD, ModelKind.GUARD})


class Completions:
    """Continues texts with the models of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep the catalog."""
        self._catalog = catalog

    async def complete(self, request: pb.CompletionRequest) -> pb.CompletionResponse:
        """Return the whole continuation.

        Raises:
            ResourceNotFound: no such model.
            WrongState: the model is loaded in another form or does not generate text.
            OutOfRange: the prompt does not fit the context.
        """
        target = self._target(request)
        last: Delta | None = None
        async with aclosing(target.engine.generate(_engine_request(request, target, stream=False))) as deltas:
            async for delta in deltas:
                last = delta
        assert last is not None
        message = CompletionMessage(content=Content(text=last.text), stop_reason=stop_reason(last, target.format))
        return pb.CompletionResponse(
            completion_message=message,
            logprobs=logprobs_messages(last.logprobs) if request.HasField("logprobs") else (),
            prompt_logprobs=logprobs_messages(last.prompt_logprobs),
            usage=usage_message(last.usage),
        )

    async def stream(self, request: pb.CompletionRequest) -> AsyncGenerator[pb.CompletionResponseStreamChunk]:
        """Yield the continuation as it comes; the errors are those of :meth:`complete`."""
        target = self._target(request)
        wanted = request.HasField("logprobs")
        async with aclosing(target.engine.generate(_engine_request(request, target, stream=True))) as deltas:
            async for delta in deltas:
                chunk = pb.CompletionResponseStreamChunk(delta=delta.text)
                if wanted:
                    chunk.logprobs.extend(logprobs_messages(delta.logprobs))
                if delta.finish is not None:
                    chunk.stop_reason = stop_reason(delta, target.format)
                    chunk.usage.CopyFrom(usage_message(delta.usage))
                yield chunk

    def _target(self, request: pb.CompletionRequest) -> Target:
        target = self._catalog.resolve(request.model)
        check_target(target, GENERATING)
        target.check_quantization(request.quantization_config)
        return target


class Pooling:
    """Embeds and scores with the models of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep the catalog."""
        self._catalog = catalog

    async def embed(self, request: pb.EmbeddingsRequest) -> pb.EmbeddingsResponse:
        """Return one unit vector per text.

        Raises:
            WrongState: the model does not embed.
        """
        target = self._catalog.resolve(request.model)
        check_target(target, frozenset({ModelKind.EMBEDDING}))
        vectors = await target.engine.embed(request.contents)
        return pb.EmbeddingsResponse(
            embeddings=[pb.Embedding(values=values) for values in vectors.values],
            usage=usage_message(Usage(vectors.prompt_tokens, 0)),
        )

    async def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """Return the outputs of a classification or reward head, one entry per conversation.

        Raises:
            WrongState: the model has no such head.
        """
        target = self._catalog.resolve(request.model)
        check_target(target, SCORING)
        texts = [_scored_text(list(item.messages), target, index) for index, item in enumerate(request.inputs)]
        scores = await target.engine.score(texts)
        return pb.ScoreResponse(
            scores=[_label_scores(score, target.info) for score in scores],
            usage=usage_message(Usage(sum(score.prompt_tokens for score in scores), 0)),
        )


def _engine_request(request: pb.CompletionRequest, target: Target, *, stream: bool) -> GenerateRequest:
    logprobs = request.logprobs.top_k if request.HasField("logprobs") else None
    prompt_logprobs = request.prompt_logprobs if request.HasField("prompt_logprobs") else None
    return GenerateRequest(
        request_id=uuid4().hex,
        prompt=_prompt(request),
        sampling=engine_sampling(request.sampling_params, logprobs=logprobs, prompt_logprobs=prompt_logprobs),
        guidance=engine_guidance(request.guidance),
        adapter=target.adapter,
        priority=request.priority,
        session=request.session_id or None,
        stream=stream,
    )


def _prompt(request: pb.CompletionRequest) -> Prompt:
    if request.HasField("prompt_token_ids"):
        if text_of(request.content, "content"):
            raise InvalidField("content", "an empty text beside prompt_token_ids")
        return Prompt(token_ids=tuple(request.prompt_token_ids.ids))
    return Prompt(text=text_of(request.content, "content"))


def text_of(content: Content, path: str) -> str:
    """Return the text of a content that may hold nothing else.

    Raises:
        InvalidField: it holds an attachment; ``path`` names it.
    """
    match content.WhichOneof("content"):
        case "attachment":
            raise InvalidField(path, "text; this call takes no attachments")
        case "parts":
            for index, part in enumerate(content.parts.parts):
                if part.WhichOneof("part") == "attachment":
                    raise InvalidField(f"{path}[{index}]", "text; this call takes no attachments")
            return "".join(part.text for part in content.parts.parts)
        case _:
            return content.text


def _scored_text(messages: list[Message], target: Target, index: int) -> ScoredInput:
    """Return a conversation as the model reads it.

    One user message is scored as it is; a question and its answer as a pair where the model has no prompt format, as
    cross-encoders have none; anything else by the prompt format.
    """
    if len(messages) == 1 and messages[0].HasField("user"):
        return text_of(messages[0].user.content, f"inputs[{index}][0].content")
    kinds = [message.WhichOneof("message") for message in messages]
    if target.format is None and kinds == ["user", "completion"]:
        return TextPair(
            text_of(messages[0].user.content, f"inputs[{index}][0].content"),
            text_of(messages[1].completion.content, f"inputs[{index}][1].content"),
        )
    return target.prompt_format.encode(Conversation(messages)).text


def _label_scores(scores: Scores, info: EngineInfo) -> pb.LabelScores:
    message = pb.LabelScores(
        logits=scores.logits,
        labels=info.labels,
        prompt_tokens=scores.prompt_tokens,
        filled_context=scores.prompt_tokens >= info.context_length,
    )
    if len(scores.logits) > 1:
        top = max(scores.logits)
        weights = [exp(logit - top) for logit in scores.logits]
        message.probabilities.extend(weight / sum(weights) for weight in weights)
    return message
