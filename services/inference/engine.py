"""What an engine is: one base model that generates, embeds or scores.

The words here are tokens, texts and numbers. An engine knows nothing about messages, prompt formats, tools, protobuf or
gRPC, and nothing about quotas; those are its callers'.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

TextInput: TypeAlias = str | tuple[int, ...]
"""A text, or the ids of its tokens, special ones included."""


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts that a cross-encoder reads together, each as a segment of its own."""

    first: str
    second: str


ScoredInput: TypeAlias = str | TextPair
"""What a classification or reward head judges."""


class ModelKind(Enum):
    """What a model is for."""

    LLM = "llm"
    EMBEDDING = "embedding"
    REWARD = "reward"
    GUARD = "guard"


class FinishReason(Enum):
    """Why a sequence ended."""

    STOP = "stop"
    LENGTH = "length"


class GuidanceKind(Enum):
    """The language in which an output is restricted."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    REGEX = "regex"
    GRAMMAR = "grammar"


@dataclass(frozen=True, slots=True)
class Guidance:
    """A restriction of the output; ``text`` is the JSON Schema, the expression or the grammar."""

    kind: GuidanceKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: either ``text`` or ``token_ids``, and the encoded images that its image tokens stand for, in order."""

    text: str | None = None
    token_ids: tuple[int, ...] | None = None
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. The defaults are greedy, up to the end of the context.

    ``temperature`` 0 is greedy, ``top_k`` 0 means all, ``max_tokens`` None means up to the context. ``logprobs`` is the
    number of candidates per generated token besides the chosen one, None for no log probabilities at all;
    ``prompt_logprobs`` the same for the prompt.
    """

    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    logprobs: int | None = None
    prompt_logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One generation. Lower ``priority`` runs first; ``session`` keeps a conversation on one replica."""

    request_id: str
    prompt: Prompt
    sampling: Sampling = Sampling()
    guidance: Guidance | None = None
    adapter: str | None = None
    priority: int = 0
    session: str | None = None
    stream: bool = True


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """The log probabilities (natural) at one position: of the token that is there, and of the candidates by text."""

    token: str
    logprob: float
    candidates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request; ``cached`` are the prompt tokens that came out of the prefix cache."""

    prompt: int
    completion: int
    cached: int = 0


@dataclass(slots=True)
class Delta:
    """What one sequence of a request gained since its last delta.

    ``text`` holds special tokens other than the one that ended the sequence. ``finish`` is set in the last delta of a
    sequence, with ``stop`` the id of the token or the string that ended it (None for the model's own end of sequence or
    for LENGTH). ``usage`` counts the whole request so far. ``prompt_logprobs`` comes once, in the first delta, if asked
    for; its first entry is None.
    """

    index: int
    text: str
    token_ids: Sequence[int]
    usage: Usage
    finish: FinishReason | None = None
    stop: int | str | None = None
    logprobs: Sequence[TokenLogprobs] = ()
    prompt_logprobs: Sequence[TokenLogprobs | None] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """The raw outputs of a classification or reward head for one input, in the order of the model's labels."""

    logits: tuple[float, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings, one of unit length per input, and the number of tokens that were read."""

    values: Sequence[Sequence[float]]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a started engine can do. ``context_length`` in tokens; ``quantization`` is bf16, fp8, int8, fp32 or fp16."""

    name: str
    kind: ModelKind
    context_length: int
    quantization: str
    dimension: int | None = None
    labels: tuple[str, ...] = ()
    multimodal: bool = False
    adapters: bool = False


class Model(Protocol):
    """A model from its start to its stop, wherever it runs.

    All methods are called from one event loop and none blocks it. Errors of all: ``BackendUnavailable`` when what runs
    the model has died or can't be reached, ``NotSupported`` for what the model's kind can't do, ``InvalidField`` for a
    parameter that is refused.
    """

    async def start(self) -> EngineInfo:
        """Load the model and return when it answers.

        Raises:
            WrongState: the hardware or the checkpoint can't do what the settings ask for.
        """

    async def check(self) -> None:
        """Return when the model answers.

        Raises:
            BackendUnavailable: it does not.
        """

    def running(self) -> int:
        """Return the number of requests that run, waiting ones included."""

    def cache_use(self) -> float:
        """Return the share of the key-value cache that requests hold, 0 to 1; 0 where there is none to tell of."""

    async def stop(self) -> None:
        """Free everything; safe to call twice and on an engine that has died."""


class Engine(Model, Protocol):
    """One base model that runs here."""

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Delta]:
        """Yield what comes, one delta per sequence and step at most; less often for a slow caller.

        Closing the iterator aborts the request. With ``stream`` False each sequence has one delta, at its end.

        Raises:
            OutOfRange: the prompt leaves no room in the context.
        """

    async def detokenize(self, token_ids: Sequence[int]) -> str:
        """Return the text of tokens, special ones included."""

    async def embed(self, inputs: Sequence[TextInput]) -> Vectors:
        """Return the embeddings of texts, each cut at the context length."""

    async def score(self, texts: Sequence[ScoredInput]) -> Sequence[Scores]:
        """Return the outputs of the classification head for texts.

        Raises:
            NotSupported: the engine reads no pairs.
        """

    async def load_adapter(self, name: str, folder: str) -> int:
        """Load a LoRA adapter from a folder and return its rank.

        Raises:
            WrongState: the adapter does not fit the model, or the engine was started without adapters.
        """

    async def unload_adapter(self, name: str) -> None:
        """Unload an adapter; requests that run on it finish first."""
