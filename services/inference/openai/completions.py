"""Completions of OpenAI's API: several texts, one or several continuations each. Knows nothing about gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from uuid import uuid4

from llamastack.openai.v1 import completion_pb2 as pb
from llamastack.openai.v1.usage_pb2 import FinishReason
from mesh.errors import InvalidField
from services.inference import engine as engines
from services.inference.batch import CONCURRENT_ITEMS
from services.inference.catalog import Catalog
from services.inference.chat import GENERATING, check_target
from services.inference.engine import Delta, GenerateRequest, Prompt, TextInput, TokenLogprobs
from services.inference.entry import Target
from services.inference.openai.envelope import Envelope, envelope, usage_message
from services.inference.openai.generation import generate, side_by_side
from services.inference.openai.logprobs import TextLogprobs, shown_positions
from services.inference.openai.prompts import text_inputs
from services.inference.openai.sampling import completion_sampling

_REASONS = {
    engines.FinishReason.STOP: FinishReason.FINISH_REASON_STOP,
    engines.FinishReason.LENGTH: FinishReason.FINISH_REASON_LENGTH,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is ready for its engine; ``echoed`` are the prompts' texts, empty ones without echo."""

    target: Target
    requests: list[GenerateRequest]
    echoed: list[str]
    envelope: Envelope


class TextCompletions:
    """Continues texts with the models of a catalog."""

    def __init__(self, catalog: Catalog, now: Callable[[], float]) -> None:
        """``now`` is the clock, in seconds since 1970."""
        self._catalog = catalog
        self._now = now

    async def complete(self, request: pb.CompletionRequest) -> pb.CompletionResponse:
        """Return the continuations.

        Raises:
            ResourceNotFound: no such model.
            WrongState: the model is not ready or does not generate text.
            InvalidField: the request asks for something that is not supported.
            OutOfRange: a text does not fit the context.
        """
        choices: dict[int, pb.CompletionChoice] = {}
        response = pb.CompletionResponse()
        async with aclosing(self._chunks(request, stream=False)) as chunks:
            async for chunk in chunks:
                response = chunk
                for piece in chunk.choices:
                    choices.setdefault(piece.index, pb.CompletionChoice()).MergeFrom(piece)
        del response.choices[:]
        response.choices.extend(choices[index] for index in sorted(choices))
        return response

    async def stream(self, request: pb.CompletionRequest) -> AsyncGenerator[pb.CompletionResponse]:
        """Yield the continuations as they come; the errors are those of :meth:`complete`."""
        async with aclosing(self._chunks(request, stream=True)) as chunks:
            async for chunk in chunks:
                if chunk.choices or request.stream_options.include_usage:
                    yield chunk

    async def _chunks(self, request: pb.CompletionRequest, *, stream: bool) -> AsyncGenerator[pb.CompletionResponse]:
        """Yield pieces of the choices, and at the end the usage."""
        asked = await self._prepare(request, stream=stream)
        head = pb.CompletionResponse(**asked.envelope.members())
        counts = [engines.Usage(0, 0)] * len(asked.requests)
        writers = [_Writer(request, position, echoed) for position, echoed in enumerate(asked.echoed)]
        sources = [_generated(request, asked.target, made) for made in asked.requests]
        async with aclosing(side_by_side(sources, CONCURRENT_ITEMS)) as deltas:
            async for position, delta in deltas:
                counts[position] = delta.usage
                chunk = pb.CompletionResponse(choices=[writers[position].write(delta)])
                chunk.MergeFrom(head)
                yield chunk
        head.usage.CopyFrom(
            usage_message(
                sum(usage.prompt for usage in counts),
                sum(usage.completion for usage in counts),
                sum(usage.cached for usage in counts),
            )
        )
        yield head

    async def _prepare(self, request: pb.CompletionRequest, *, stream: bool) -> _Asked:
        _refuse_unsupported(request)
        target = self._catalog.resolve(request.model)
        check_target(target, GENERATING)
        prompts = text_inputs(request.prompt)
        sampling = completion_sampling(request)
        requests = [
            GenerateRequest(
                request_id=uuid4().hex,
                prompt=Prompt(text=prompt) if isinstance(prompt, str) else Prompt(token_ids=prompt),
                sampling=sampling,
                adapter=target.adapter,
                session=request.user or None,
                stream=stream,
            )
            for prompt in prompts
        ]
        echoed = [await _text(target, prompt) if request.echo else "" for prompt in prompts]
        return _Asked(target, requests, echoed, envelope("cmpl", target, int(self._now())))


def _refuse_unsupported(request: pb.CompletionRequest) -> None:
    if request.suffix:
        raise InvalidField("suffix", "is not supported: the models here do not fill in the middle")
    if request.HasField("best_of") and request.best_of != (request.n if request.HasField("n") else 1):
        raise InvalidField("best_of", "is not supported beyond n: generate more choices and select among them")


async def _text(target: Target, prompt: TextInput) -> str:
    return prompt if isinstance(prompt, str) else await target.engine.detokenize(prompt)


async def _generated(request: pb.CompletionRequest, target: Target, made: GenerateRequest) -> AsyncGenerator[Delta]:
    """Yield the deltas, without what is generated if no token is wanted."""
    nothing = request.HasField("max_tokens") and request.max_tokens == 0
    async with aclosing(generate(target.engine, made)) as deltas:
        async for delta in deltas:
            if nothing:
                usage = replace(delta.usage, completion=0)
                finish = engines.FinishReason.LENGTH if delta.finish else None
                delta = replace(delta, text="", token_ids=(), logprobs=(), usage=usage, finish=finish, stop=None)
            yield delta


class _Writer:
    """Writes the choices of one prompt; with echo the prompt goes before the first piece of each."""

    def __init__(self, request: pb.CompletionRequest, position: int, echoed: str) -> None:
        n = request.n if request.HasField("n") else 1
        self._first = position * n
        self._echo = request.echo
        self._echoed = echoed
        self._prompt: Sequence[TokenLogprobs | None] = ()
        self._logprobs = [TextLogprobs(request.logprobs) for _ in range(n)] if request.HasField("logprobs") else []
        self._begun = [False] * n

    def write(self, delta: Delta) -> pb.CompletionChoice:
        """Return what one sequence gained."""
        begins, self._begun[delta.index] = not self._begun[delta.index], True
        self._prompt = self._prompt or delta.prompt_logprobs
        choice = pb.CompletionChoice(
            index=self._first + delta.index,
            text=self._echoed + delta.text if begins else delta.text,
            finish_reason=None if delta.finish is None else _REASONS[delta.finish],
        )
        if self._logprobs:
            writer = self._logprobs[delta.index]
            if begins and self._echo:
                choice.logprobs.MergeFrom(writer.prompt(self._prompt, self._echoed))
            choice.logprobs.MergeFrom(writer.generated(shown_positions(delta)))
            choice.logprobs.SetInParent()
        return choice
