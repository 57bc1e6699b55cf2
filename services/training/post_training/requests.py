"""What a request asks for, apart from where its model and rows are: messages in, parts of a spec out.

A setting that contradicts another, or that no recipe could honour, is refused here with the field's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from google.protobuf import json_format

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.post_training.v1 import post_training_pb2 as pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from mesh import json_text
from mesh.errors import InvalidField, MeshError, WrongState
from mesh.interceptors.validation import Validation
from services.training.post_training.searching import FIELD, search_of, trials
from services.training.recipe.spec import (
    Adapter,
    Kind,
    Loggers,
    Loop,
    Optimizer,
    Preference,
    Reinforcement,
    Search,
    Workers,
)

Asked: TypeAlias = pb.PostTrainingSftRequest | pb.PostTrainingRlhfRequest | pb.PostTrainingGrpoRequest
KINDS: Final[dict[Kind, type[Asked]]] = {
    Kind.SFT: pb.PostTrainingSftRequest,
    Kind.DPO: pb.PostTrainingRlhfRequest,
    Kind.GRPO: pb.PostTrainingGrpoRequest,
}
_RULES: Final[dict[int, Any]] = {
    config_pb.OPTIMIZER_TYPE_ADAM: "adam",
    config_pb.OPTIMIZER_TYPE_ADAMW: "adamw",
    config_pb.OPTIMIZER_TYPE_SGD: "sgd",
}
_RULED: Final = Validation()
_URI: Final = "logger_config.mlflow.tracking_uri"
_OUTPUT: Final = "lm_head"
_ATTENTION: Final = {"output_proj": "o_proj"}
_LOGGERS: Final = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parts of a spec that a request states by itself; ``gpus`` is None if it does not say."""

    kind: Kind
    model: str
    dataset: TrainEvalDataset
    validation: TrainEvalDataset | None
    adapter: Adapter | None
    optimizer: Optimizer
    loop: Loop
    workers: Workers
    gpus: float | None
    loggers: Loggers
    experiment: str | None
    preference: Preference | None = None
    reinforcement: Reinforcement | None = None
    search: Search | None = None


def kind_of(request: Asked) -> Kind:
    """Return what a request learns from."""
    return next(kind for kind, message in KINDS.items() if isinstance(request, message))


def wanted_model(request: Asked) -> str:
    """Return what a request calls the model that it trains."""
    return request.finetuned_model.uri if isinstance(request, pb.PostTrainingRlhfRequest) else request.model


@dataclass(frozen=True, slots=True)
class Trackers:
    """The MLflow servers that jobs may report to: the deployment's own (empty for none), and host:port of others."""

    default: str = ""
    allowed: tuple[str, ...] = ()

    def choose(self, asked: str | None) -> str:
        """Return the tracking URI for a request.

        Raises:
            InvalidField: the server that was asked for is not allowed.
            WrongState: none was asked for and there is no default.
        """
        if asked is None:
            if not self.default:
                raise WrongState(f"{_URI}: this deployment has no MLflow server of its own, so one has to be named")
            return self.default
        try:
            parts = urlsplit(asked)
            named = parts.netloc in self.allowed and parts.scheme in ("http", "https")
        except ValueError:
            named = False
        if not named and asked != self.default:
            raise InvalidField(_URI, "an http or https URL of a server that is allowed here")
        return asked


def wanted(request: Asked, trackers: Trackers) -> Wanted:
    """Return what a request asks for.

    Raises:
        InvalidField: settings contradict each other.
        WrongState: a setting can't be honoured here.
    """
    kind = kind_of(request)
    options = request.options
    workers = Workers(options.num_workers or 1, options.cpus_per_worker or 1.0)
    made = Wanted(
        kind=kind,
        model=wanted_model(request),
        dataset=request.dataset,
        validation=request.validation_dataset if request.HasField("validation_dataset") else None,
        adapter=_adapter(request),
        optimizer=_optimizer(request.optimizer_config, options),
        loop=_loop(request.training_config, options),
        workers=workers,
        gpus=options.gpus_per_worker if options.HasField("gpus_per_worker") else None,
        loggers=_loggers(request.logger_config, trackers),
        experiment=options.experiment_id or None,
        preference=_preference(request),
        reinforcement=_reinforcement(request),
        search=None if isinstance(request, pb.PostTrainingGrpoRequest) else search_of(request),
    )
    _check(made, request.training_config)
    if made.search is not None:
        _check_trials(request, made.search, trackers)
    return made


def _check_trials(request: Asked, search: Search, trackers: Trackers) -> None:
    """Make sure that every trial of a search would be taken as a request of its own.

    Raises:
        InvalidField: one would not.
    """
    for number, trial in enumerate(trials(request, search)):
        try:
            _RULED.check(trial)
            wanted(trial, trackers)
        except MeshError as error:
            raise InvalidField(f"{FIELD}.parameters", f"trial {number} would be refused: {error.message}") from error


def _adapter(request: Asked) -> Adapter | None:
    if not isinstance(request, pb.PostTrainingSftRequest):
        return _layout(request.lora_config) if request.HasField("lora_config") else None
    if request.algorithm == config_pb.FINETUNING_ALGORITHM_FULL:
        return None
    return _layout(
        request.algorithm_config,
        decomposed=request.algorithm == config_pb.FINETUNING_ALGORITHM_DORA,
        quantized=request.algorithm == config_pb.FINETUNING_ALGORITHM_QLORA,
    )


def _layout(config: config_pb.LoraFinetuningConfig, *, decomposed: bool = False, quantized: bool = False) -> Adapter:
    named = dict.fromkeys(_ATTENTION.get(name, name) for name in config.lora_attn_modules)
    return Adapter(
        modules=tuple(name for name in named if name != _OUTPUT),
        mlp=config.apply_lora_to_mlp,
        output=config.apply_lora_to_output or _OUTPUT in named,
        rank=config.rank,
        alpha=config.alpha,
        weight_decomposed=decomposed,
        quantized_base=quantized,
    )


def _optimizer(config: config_pb.OptimizerConfig, options: config_pb.TrainingOptions) -> Optimizer:
    return Optimizer(
        rule=_RULES[config.optimizer_type],
        lr=config.lr,
        lr_min=config.lr_min,
        weight_decay=config.weight_decay,
        warmup=options.warmup_iters,
        max_gradient_norm=options.max_gradient_norm if options.HasField("max_gradient_norm") else 1.0,
    )


def _loop(config: config_pb.TrainingConfig, options: config_pb.TrainingOptions) -> Loop:
    return Loop(
        epochs=config.n_epochs,
        iterations=config.n_iters,
        batch_size=config.batch_size,
        shuffle=config.shuffle,
        accumulation=options.gradient_accumulation_steps or 1,
        activation_checkpointing=config.enable_activation_checkpointing,
        shard=config.memory_efficient_fsdp_wrap,
        offload=config.fsdp_cpu_offload,
        seed=options.seed,
        max_sequence_length=options.max_sequence_length or None,
        assistant_only=options.assistant_only_loss if options.HasField("assistant_only_loss") else True,
        checkpoint_interval=options.checkpoint_interval or None,
        max_checkpoints=options.max_checkpoints or None,
        evaluation_interval=options.evaluation_interval or None,
    )


def _preference(request: Asked) -> Preference | None:
    if not isinstance(request, pb.PostTrainingRlhfRequest):
        return None
    config = request.algorithm_config
    return Preference(config.reward_scale, config.reward_clip, config.epsilon, config.gamma)


def _reinforcement(request: Asked) -> Reinforcement | None:
    if not isinstance(request, pb.PostTrainingGrpoRequest):
        return None
    config = request.algorithm_config
    return Reinforcement(
        reward=json_format.MessageToJson(config.reward, indent=None),
        generations=config.num_generations or 8,
        max_new_tokens=config.max_new_tokens or 256,
        temperature=config.temperature if config.HasField("temperature") else 1.0,
        beta=config.beta,
        epsilon=config.epsilon if config.HasField("epsilon") else 0.2,
    )


def loose(value: JsonValue) -> Any:
    """Return a JSON value as Python has it."""
    return json.loads(json_text.write(value))


def _loggers(config: Mapping[str, JsonValue], trackers: Trackers) -> Loggers:
    given = {name: loose(value) for name, value in config.items()}
    for name in given:
        if name not in _LOGGERS:
            raise InvalidField(f"logger_config.{name}", f"one of {', '.join(_LOGGERS)}")
    mlflow = _members(given, "mlflow", ("tracking_uri", "experiment_name"))
    wandb = _members(given, "wandb", ("project", "entity"))
    if not isinstance(given.get("tensorboard", False), bool):
        raise InvalidField("logger_config.tensorboard", "true or false")
    if wandb is not None and "project" not in wandb:
        raise InvalidField("logger_config.wandb.project", "the name of a project")
    for name, value in given.items():
        if value and find_spec(_LOGGERS[name]) is None:
            raise WrongState(f"logger_config.{name}: this deployment lacks the package {_LOGGERS[name]}")
    return Loggers(
        tensorboard=given.get("tensorboard", False),
        mlflow_uri=None if mlflow is None else trackers.choose(mlflow.get("tracking_uri")),
        mlflow_experiment=None if mlflow is None else mlflow.get("experiment_name"),
        wandb_project=wandb["project"] if wandb else None,
        wandb_entity=wandb.get("entity") if wandb else None,
    )


def _members(given: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, str] | None:
    members = given.get(name)
    if members in (None, False):
        return None
    if members is True and name == "mlflow":
        return {}
    if not isinstance(members, dict) or not all(isinstance(value, str) for value in members.values()):
        raise InvalidField(f"logger_config.{name}", f"an object with the texts {' and '.join(known)}")
    for member in members:
        if member not in known:
            raise InvalidField(f"logger_config.{name}.{member}", f"one of {', '.join(known)}")
    return members


def _check(made: Wanted, config: config_pb.TrainingConfig) -> None:
    loop, workers = made.loop, made.workers
    if loop.offload and not loop.shard:
        raise WrongState("training_config.fsdp_cpu_offload needs memory_efficient_fsdp_wrap")
    if loop.shard:
        _check_sharding(made)
    parts = workers.count * loop.accumulation
    if loop.batch_size % parts:
        raise InvalidField(
            "training_config.batch_size",
            f"a multiple of {parts}: num_workers times gradient_accumulation_steps",
        )
    if made.reinforcement is not None and loop.batch_size % made.reinforcement.generations:
        raise InvalidField(
            "training_config.batch_size", f"a multiple of num_generations, {made.reinforcement.generations}"
        )
    if made.kind is not Kind.SFT and not loop.assistant_only:
        raise InvalidField("options.assistant_only_loss", "true, or supervised training: answers alone are learnt here")
    if made.adapter is not None and made.adapter.quantized_base and find_spec("bitsandbytes") is None:
        raise WrongState("algorithm QLORA: this deployment lacks the package bitsandbytes")


def _check_sharding(made: Wanted) -> None:
    field = "training_config.memory_efficient_fsdp_wrap"
    if made.kind is Kind.GRPO:
        raise WrongState(f"{field}: answers can't be sampled from a sharded model")
    if made.adapter is not None and made.adapter.quantized_base:
        raise WrongState(f"{field}: weights in 4 bits can't be sharded")
    if made.adapter is not None and made.adapter.output:
        raise WrongState(f"{field}: a model with an adapter on its output layer can't be sharded")
    if made.kind is Kind.DPO and made.adapter is not None:
        raise WrongState(f"{field}: the reference of a sharded model with adapters can't be computed")
