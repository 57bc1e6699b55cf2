"""A deterministic engine that replays given pieces, and the catalog of models around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import cast

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from mesh.errors import MeshError
from services.inference.backend import Remote, ReplicaStatus
from services.inference.catalog import Catalog, Workshop
from services.inference.engine import (
    Delta,
    Engine,
    EngineInfo,
    FinishReason,
    GenerateRequest,
    ModelKind,
    ScoredInput,
    Scores,
    TokenLogprobs,
    Usage,
    Vectors,
)
from services.inference.model_spec import ModelSpec
from services.inference.prompt import tokens
from services.inference.prompt.llama3 import Llama3Format
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.prompt.vocabulary import Vocabulary
from services.inference.sources import Sources

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHAT = EngineInfo("vllm", ModelKind.LLM, 4096, "bf16", adapters=True)
EMBEDDING = EngineInfo("transformers", ModelKind.EMBEDDING, 256, "fp32", dimension=3)


@dataclass(frozen=True)
class Answer:
    """What one sequence gives: its tokens' texts, and how it ends (an end token is added where ``stop`` says so)."""

    pieces: Sequence[str]
    finish: FinishReason = FinishReason.STOP
    stop: int | str | None = None


@dataclass
class ScriptedEngine:
    """An Engine that gives each choice the answer of its index, again from the first one when they are used up."""

    info: EngineInfo = CHAT
    answers: Sequence[Answer] = (Answer(("Hello", " there")),)
    failure: MeshError | None = None
    fail_after: int = 0
    prompt_tokens: int = 7
    requests: list[GenerateRequest] = field(default_factory=list)
    embedded: list[str | tuple[int, ...]] = field(default_factory=list)
    adapters: dict[str, str] = field(default_factory=dict)
    may_start: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: bool = False
    aborted: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    held_open: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.may_start.set()

    async def start(self) -> EngineInfo:
        await self.may_start.wait()
        if self.failure is not None:
            raise self.failure
        return self.info

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        self.requests.append(request)
        done = False
        try:
            if self.failure is not None and not self.fail_after:
                raise self.failure
            deltas = self._deltas(request)
            for position, delta in enumerate(deltas if request.stream else _merged(deltas)):
                if self.failure is not None and position == self.fail_after:
                    raise self.failure
                yield delta
                if self.held_open is not None:
                    await self.held_open.wait()
            done = True
        finally:
            self.aborted += not done
            self.ended.set()

    def _deltas(self, request: GenerateRequest) -> list[Delta]:
        """Return the deltas of all sequences, step by step, with the usage so far."""
        sequences = [
            _tokens(index, self.answers[index % len(self.answers)], request) for index in range(request.sampling.n)
        ]
        longest = max(map(len, sequences))
        ordered = [sequence[step] for step in range(longest) for sequence in sequences if step < len(sequence)]
        generated = 0
        for position, delta in enumerate(ordered):
            generated += len(delta.token_ids)
            delta.usage = Usage(self.prompt_tokens, generated, cached=2)
            if position < request.sampling.n and request.sampling.prompt_logprobs is not None:
                delta.prompt_logprobs = [None, *(_logprobs(text, -1.0, request) for text in self._prompt(request)[1:])]
        return ordered

    def _prompt(self, request: GenerateRequest) -> list[str]:
        """Return the tokens of the prompt: one for each letter, as the ids of a text are its letters here."""
        if request.prompt.token_ids is not None:
            return [chr(token_id) for token_id in request.prompt.token_ids]
        return list(request.prompt.text or "")

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        return "".join(map(chr, token_ids))

    async def embed(self, inputs: Sequence[str | tuple[int, ...]]) -> Vectors:
        self.embedded += inputs
        return Vectors([[1.0, 0.0, 0.25 * position] for position in range(len(inputs))], sum(map(len, inputs)))

    async def score(self, texts: Sequence[ScoredInput]) -> Sequence[Scores]:
        return [Scores((0.0,), len(text)) for text in texts]

    async def load_adapter(self, name: str, folder: str) -> int:
        if self.failure is not None:
            raise self.failure
        self.adapters[name] = folder
        return 8

    async def unload_adapter(self, name: str) -> None:
        del self.adapters[name]

    async def check(self) -> None:
        return

    def running(self) -> int:
        return 0

    def cache_use(self) -> float:
        return 0.0

    def replicas(self) -> Sequence[ReplicaStatus]:
        return ()

    async def stop(self) -> None:
        self.stopped = True


def _tokens(index: int, answer: Answer, request: GenerateRequest) -> list[Delta]:
    """Return one delta per token, and one more without text for the token that ends the sequence."""
    limit = request.sampling.max_tokens
    pieces = list(answer.pieces)[:limit]
    cut = limit is not None and len(answer.pieces) >= limit
    deltas = [
        Delta(index, text, (1000 + position,), Usage(0, 0), logprobs=_asked(text, position, request))
        for position, text in enumerate(pieces)
    ]
    if cut or answer.finish is FinishReason.LENGTH:
        deltas[-1].finish = FinishReason.LENGTH
        return deltas
    if isinstance(answer.stop, str):
        deltas[-1].finish, deltas[-1].stop = FinishReason.STOP, answer.stop
        return deltas
    end = Delta(index, "", (128009,), Usage(0, 0), FinishReason.STOP, answer.stop)
    end.logprobs = _asked("<|eot_id|>", len(pieces), request)
    return [*deltas, end]


def _asked(text: str, position: int, request: GenerateRequest) -> Sequence[TokenLogprobs]:
    return () if request.sampling.logprobs is None else [_logprobs(text, -0.5 * (position + 1), request)]


def _logprobs(text: str, logprob: float, request: GenerateRequest) -> TokenLogprobs:
    wanted = max(request.sampling.logprobs or 0, request.sampling.prompt_logprobs or 0)
    others = tuple((f"{text}{rank}", logprob - rank) for rank in range(1, wanted))
    return TokenLogprobs(text, logprob, ((text, logprob), *others))


def _merged(deltas: Sequence[Delta]) -> list[Delta]:
    """Return one delta per sequence, as an engine gives them where no stream is wanted."""
    whole: dict[int, Delta] = {}
    for delta in deltas:
        known = whole.setdefault(delta.index, Delta(delta.index, "", (), delta.usage))
        known.text += delta.text
        known.token_ids = [*known.token_ids, *delta.token_ids]
        known.logprobs = [*known.logprobs, *delta.logprobs]
        known.prompt_logprobs = known.prompt_logprobs or delta.prompt_logprobs
        known.usage, known.finish, known.stop = delta.usage, delta.finish, delta.stop
    return list(whole.values())


def tokenizer() -> Tokenizer:
    """Return a tokenizer of single bytes and the special tokens of Llama 3."""
    letters = {letter: position for position, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(BPE(vocab=letters, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(name, special=True) for name in tokens.IDS])
    return made


def vocabulary() -> Vocabulary:
    """Return the vocabulary of that tokenizer."""
    return Vocabulary(tokenizer().to_str())


def llama3_format() -> Llama3Format:
    """Return the format of Llama 3 on a fixed day, with call ids that count up."""
    ids = count(1)
    return Llama3Format(vocabulary(), lambda: date(2026, 1, 2), lambda: f"call_{next(ids)}")


def make_catalog(folder: Path, engines: dict[str, ScriptedEngine]) -> Catalog:
    """Return an empty catalog whose models run on the engine of their id."""

    def engine(spec: ModelSpec, _: str | None) -> Engine:
        return engines[spec.model_id]

    def remote(spec: ModelSpec) -> Remote:
        return cast(Remote, engines[spec.model_id])  # it starts and stops like one, and nothing is asked of it

    def format_of(spec: ModelSpec, folder: str | None, info: EngineInfo) -> PromptFormat | None:
        return prompt_format if info.kind is not ModelKind.EMBEDDING else None

    prompt_format = llama3_format()
    workshop = Workshop(engine, remote, format_of)
    return Catalog(workshop, Sources(folder / "sources"), folder / "models.json", lambda: NOW)


async def ready_catalog(folder: Path, engines: dict[str, ScriptedEngine]) -> Catalog:
    """Return a catalog in which all the models answer."""
    catalog = make_catalog(folder, engines)
    for name, engine in engines.items():
        entry = catalog.register(ModelSpec(name, engine.info.kind), builtin=True)
        async for _ in catalog.watch(entry):
            pass
    return catalog
