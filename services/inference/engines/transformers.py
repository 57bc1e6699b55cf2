"""Hugging Face transformers in process, for machines where vLLM has no build.

Requests share one thread in turns of one token each, so that none starves and a short one is not kept by a long one.
The library's own continuous batching has one seed, one sampling mode and no candidates' probabilities for all requests
together, which is why it is not used. Structured output and adapters need vLLM.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from mesh.errors import BackendUnavailable, MeshError, NotSupported, WrongState
from services.inference.engine import (
    Delta,
    EngineInfo,
    GenerateRequest,
    ModelKind,
    ScoredInput,
    Scores,
    TextInput,
    Vectors,
)
from services.inference.engines.importing import IMPORTING
from services.inference.engines.precision import Dtype, precision_of

if TYPE_CHECKING:
    from services.inference.engines.causal_model import Checkpoint, Generation

log = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result")

RESTART_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class TransformersSettings:
    """How the model is loaded: ``model`` is a folder, ``context_length`` None is the checkpoint's own.

    ``max_sequences`` requests generate in turns, the others wait by priority and then in order.
    """

    model: str
    kind: ModelKind = ModelKind.LLM
    context_length: int | None = None
    quantization: str | None = None
    dtype: Dtype = "auto"
    max_sequences: int = 64


@dataclass(eq=False)
class _Job:
    """A request in the engine; what was generated and not taken yet is in ``pending``, by sequence."""

    request: GenerateRequest
    number: int
    generation: Generation | None = None
    pending: dict[int, Delta] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failure: MeshError | None = None
    finished: bool = False
    gone: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """What waiting requests are ordered by."""
        return self.request.priority, self.number

    def add(self, deltas: Sequence[Delta], *, finished: bool) -> None:
        """Put down what was generated, merged with what the caller has not taken."""
        for delta in deltas:
            known = self.pending.get(delta.index)
            self.pending[delta.index] = delta if known is None else _merged(known, delta)
        self.finished = finished
        self.news.set()

    def fail(self, failure: MeshError) -> None:
        """End the request."""
        self.failure, self.finished = failure, True
        self.news.set()

    def take(self) -> list[Delta]:
        """Return what the caller wants now: everything, or without a stream the sequences that have ended."""
        self.news.clear()
        wanted = [index for index, delta in self.pending.items() if self.request.stream or delta.finish is not None]
        return [self.pending.pop(index) for index in wanted]


class TransformersEngine:
    """An :class:`~services.inference.engine.Engine` on transformers."""

    def __init__(self, settings: TransformersSettings) -> None:
        """Keep the settings; nothing is imported or loaded before :meth:`start`."""
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transformers")
        self._checkpoint: Checkpoint | None = None
        self._numbers = count()
        self._waiting: list[_Job] = []
        self._active: deque[_Job] = deque()
        self._work = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> EngineInfo:
        """Load the model in the engine's thread."""
        settings = self._settings
        if settings.quantization in {"fp8", "int8"}:
            raise WrongState(f"this engine does not quantize to {settings.quantization}")
        try:
            self._checkpoint = await self._blocking(_load, settings)
        except (ValueError, OSError, RuntimeError, ImportError) as error:
            raise WrongState(f"the model could not be loaded: {str(error).strip().partition(chr(10))[0]}") from error
        self._loop = asyncio.create_task(self._run(), name="transformers-engine")
        return self._checkpoint.info(settings.kind)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        """Yield deltas, merged where the caller is slower than the model."""
        if self._alive().classifies:
            raise NotSupported("this model does not generate")
        if request.guidance is not None:
            raise NotSupported("structured output needs the engine vllm")
        if request.adapter is not None or request.prompt.images:
            raise NotSupported("adapters and images need the engine vllm")
        job = _Job(request, next(self._numbers))
        self._waiting.append(job)
        self._work.set()
        try:
            while not (job.finished and not job.pending):
                await job.news.wait()
                for delta in job.take():
                    yield delta
                if job.failure is not None:
                    raise job.failure
        finally:
            job.gone = True
            self._work.set()

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        """Ask the tokenizer; quick enough for the event loop."""
        return self._alive().tokenizer.decode(list(token_ids), skip_special_tokens=False)

    async def embed(self, inputs: Sequence[TextInput]) -> Vectors:
        """Refuse: embedding models have an engine of their own."""
        raise NotSupported("this model does not embed")

    async def score(self, texts: Sequence[ScoredInput]) -> Sequence[Scores]:
        """Run the texts through the classification head, between the turns of other requests."""
        checkpoint = self._alive()
        if not checkpoint.classifies:
            raise NotSupported("this model does not score")
        return await self._blocking(checkpoint.scores, list(texts))

    async def load_adapter(self, name: str, folder: str) -> int:
        """Refuse."""
        raise WrongState("adapters need the engine vllm")

    async def unload_adapter(self, name: str) -> None:
        """Refuse, as there are none."""
        raise WrongState("adapters need the engine vllm")

    async def check(self) -> None:
        """Look whether the engine's loop runs."""
        self._alive()

    def running(self) -> int:
        """Return the number of requests that were not taken to their end."""
        return sum(not (job.finished or job.gone) for job in (*self._waiting, *self._active))

    def cache_use(self) -> float:
        """Return 0: the cache grows with what it holds."""
        return 0.0

    async def stop(self) -> None:
        """End the loop and let go of the model."""
        loop, self._loop, self._checkpoint = self._loop, None, None
        if loop is not None:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
        self._fail_all()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _alive(self) -> Checkpoint:
        if self._checkpoint is None or self._loop is None or self._loop.done():
            raise BackendUnavailable("the engine is not running", retry_after_s=RESTART_SECONDS)
        return self._checkpoint

    async def _run(self) -> None:
        """Give each request its turn until the engine is stopped; a defect of torch or the model ends the engine."""
        try:
            while True:
                self._admit()
                if not self._active:
                    self._work.clear()
                    await self._work.wait()
                    continue
                await self._turn(self._active[0])
                self._active.rotate(-1)
        except Exception:  # the edge of the engine's own loop: its host starts another engine
            log.exception("the engine has died")
            self._fail_all()

    def _admit(self) -> None:
        """Let waiting requests in, the most urgent first, as far as there is room."""
        self._waiting = [job for job in self._waiting if not job.gone]
        self._active = deque(job for job in self._active if not (job.gone or job.finished))
        self._waiting.sort(key=lambda job: job.rank)
        room = self._settings.max_sequences - len(self._active)
        admitted, self._waiting = self._waiting[:room], self._waiting[room:]
        self._active.extend(admitted)

    async def _turn(self, job: _Job) -> None:
        checkpoint = self._alive()
        try:
            deltas, finished, job.generation = await self._blocking(_advance, checkpoint, job.request, job.generation)
        except MeshError as error:
            job.fail(error)
        else:
            job.add(deltas, finished=finished)

    def _blocking(self, work: Callable[P, Result], *args: P.args, **_: P.kwargs) -> asyncio.Future[Result]:
        """Run what blocks in the engine's thread."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _fail_all(self) -> None:
        for job in (*self._waiting, *self._active):
            if not job.finished:
                job.fail(BackendUnavailable("the engine has died", retry_after_s=RESTART_SECONDS))
        self._waiting.clear()
        self._active.clear()


def _load(settings: TransformersSettings) -> Checkpoint:
    with IMPORTING:
        from services.inference.engines.causal_model import Checkpoint  # torch and transformers are heavy

    precision = precision_of(Path(settings.model), settings.quantization, settings.dtype)
    return Checkpoint(settings.model, settings.kind, precision, settings.context_length)


def _advance(
    checkpoint: Checkpoint, request: GenerateRequest, generation: Generation | None
) -> tuple[list[Delta], bool, Generation]:
    """Give a request its turn; its first one reads the prompt."""
    from services.inference.engines.causal_model import Generation

    known = generation or Generation(checkpoint, request)
    deltas, finished = known.advance()
    return deltas, finished, known


def _merged(first: Delta, then: Delta) -> Delta:
    return Delta(
        index=first.index,
        text=first.text + then.text,
        token_ids=[*first.token_ids, *then.token_ids],
        usage=then.usage,
        finish=then.finish,
        stop=then.stop,
        logprobs=[*first.logprobs, *then.logprobs],
        prompt_logprobs=first.prompt_logprobs,
    )
