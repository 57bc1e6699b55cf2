"""The description of a training, as the service writes it and the job reads it: plain values, no secrets.

It knows nothing of requests, nor of torch. A spec is stored as JSON; members that are missing take their default.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar, Union

T = TypeVar("T")


class Kind(StrEnum):
    """What is learnt from: examples, preferences or rewards."""

    SFT = "sft"
    DPO = "dpo"
    GRPO = "grpo"


@dataclass(frozen=True, slots=True)
class Base:
    """Where training begins: a folder or a remote source of weights, and an adapter that is merged into them first."""

    source: str
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to learn from: files of JSON lines in order, and the columns by the part that they play.

    ``parts`` maps dialog, text, prompt, completion, chosen, rejected or reference to the name of a column.
    """

    files: tuple[str, ...]
    count: int
    parts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Adapter:
    """The layout of low-rank adapters; their scale is alpha / rank. ``modules`` are names as the model has them."""

    modules: tuple[str, ...]
    mlp: bool
    output: bool
    rank: int
    alpha: int
    weight_decomposed: bool = False
    quantized_base: bool = False


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How weights are changed; the rate falls along half a cosine from ``lr`` to ``lr_min`` after ``warmup`` steps."""

    rule: Literal["adam", "adamw", "sgd"]
    lr: float
    lr_min: float
    weight_decay: float
    warmup: int = 0
    max_gradient_norm: float = 1.0


@dataclass(frozen=True, slots=True)
class Loop:
    """How much is trained and how a step is laid out; 0 epochs or iterations mean no bound of that kind."""

    epochs: int
    iterations: int
    batch_size: int
    shuffle: bool = True
    accumulation: int = 1
    activation_checkpointing: bool = False
    shard: bool = False
    offload: bool = False
    seed: int = 0
    max_sequence_length: int | None = None
    assistant_only: bool = True
    checkpoint_interval: int | None = None
    max_checkpoints: int | None = None
    evaluation_interval: int | None = None


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes of the job and what each one gets."""

    count: int = 1
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Preference:
    """Direct preference optimization; see ``DpoAlignmentConfig`` for the formula."""

    beta: float
    clip: float
    smoothing: float
    rejected_weight: float


@dataclass(frozen=True, slots=True)
class Reinforcement:
    """Group relative policy optimization; ``reward`` is a RewardFunction as ProtoJSON."""

    reward: str
    generations: int
    max_new_tokens: int
    temperature: float
    beta: float
    epsilon: float


@dataclass(frozen=True, slots=True)
class Loggers:
    """Where metrics go besides the job's own folder; None or False for nowhere."""

    tensorboard: bool = False
    mlflow_uri: str | None = None
    mlflow_experiment: str | None = None
    wandb_project: str | None = None
    wandb_entity: str | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One number of the spec that a search varies: between two bounds, or among values."""

    path: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: tuple[float, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A search for better settings: ``samples`` trials, ``concurrent`` at once, compared by a metric."""

    dimensions: tuple[Dimension, ...]
    samples: int
    concurrent: int
    metric: str
    mode: Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom the job works; calls of other services are made in this name."""

    subject: str
    tenant: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole training."""

    job: str
    kind: Kind
    base: Base
    rows: Rows
    optimizer: Optimizer
    loop: Loop
    validation: Rows | None = None
    adapter: Adapter | None = None
    workers: Workers = field(default_factory=Workers)
    preference: Preference | None = None
    reinforcement: Reinforcement | None = None
    loggers: Loggers = field(default_factory=Loggers)
    search: Search | None = None
    caller: Caller | None = None


def steps_of(spec: Spec, rows: int) -> int:
    """Return the optimizer steps of a training on so many rows: by epochs or iterations, whichever ends first.

    A row is an answer where answers are sampled, so that a prompt makes ``generations`` of them, and the last
    incomplete batch of an epoch is left out there; elsewhere it is a step of its own.
    """
    loop = spec.loop
    if spec.reinforcement is not None:
        per_epoch = max(1, rows // max(1, loop.batch_size // spec.reinforcement.generations))
    else:
        per_epoch = -(-rows // loop.batch_size)
    bounds = [bound for bound in (loop.epochs * per_epoch, loop.iterations) if bound > 0]
    return min(bounds)


def write(spec: Spec) -> str:
    """Return the spec as JSON with sorted members."""
    return json.dumps(dataclasses.asdict(spec), sort_keys=True, indent=1)


def read(text: str) -> Spec:
    """Return the spec that ``write`` wrote.

    Raises:
        ValueError: the text is not one.
    """
    return build(Spec, json.loads(text))


def build(cls: type[T], members: dict[str, Any]) -> T:
    """Return a dataclass of this module made of plain values.

    Raises:
        ValueError: a member is missing or of no use.
    """
    hints = typing.get_type_hints(cls)
    try:
        return cls(**{name: _value(hints[name], given) for name, given in members.items()})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a {cls.__name__}") from error


def _value(hint: Any, given: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = next(part for part in typing.get_args(hint) if part is not type(None))
        return None if given is None else _value(inner, given)
    if origin is tuple:
        return tuple(_value(typing.get_args(hint)[0], item) for item in given)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, given)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(given)
    return given
