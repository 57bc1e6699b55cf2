"""The request that ``altiplano train run`` sends, made of the options of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format

from cli.failure import USAGE, Failure
from llamastack.common.v1.content_pb2 import Url
from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.post_training.v1 import post_training_pb2 as requests_pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction

_ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "output_proj")
_FILES: Final = ("/", "file:", "model:")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says, under the names of its options."""

    model: str
    dataset: str
    method: str
    validation: str | None
    lr: float
    lr_min: float
    epochs: int
    steps: int
    batch_size: int
    rank: int
    alpha: int
    reward: str | None
    workers: int
    seed: int | None
    tensorboard: bool


def request_of(uuid: str, asked: Settings) -> Any:
    """Return the request.

    Raises:
        Failure: options contradict each other.
    """
    if (asked.reward is not None) != (asked.method == "grpo"):
        raise Failure("--reward belongs to --method grpo, which needs it", USAGE)
    common: dict[str, Any] = {
        "job_uuid": uuid,
        "dataset": _dataset(asked.dataset),
        "validation_dataset": _dataset(asked.validation or asked.dataset),
        "optimizer_config": config_pb.OptimizerConfig(
            optimizer_type=config_pb.OPTIMIZER_TYPE_ADAMW,
            lr=asked.lr,
            lr_min=min(asked.lr_min, asked.lr),
            weight_decay=0.0,
        ),
        "training_config": config_pb.TrainingConfig(
            n_epochs=asked.epochs, n_iters=asked.steps, batch_size=asked.batch_size, shuffle=True
        ),
        "options": config_pb.TrainingOptions(num_workers=asked.workers, seed=asked.seed),
    }
    if asked.tensorboard:
        common["logger_config"] = {"tensorboard": JsonValue(bool_value=True)}
    if asked.method == "dpo":
        return _preferences(asked, common)
    if asked.method == "grpo":
        return _rewards(asked, common)
    algorithm = config_pb.FinetuningAlgorithm.Value(f"FINETUNING_ALGORITHM_{asked.method.upper()}")
    return requests_pb.PostTrainingSftRequest(
        model=asked.model, algorithm=algorithm, algorithm_config=_layout(asked), **common
    )


def _preferences(asked: Settings, common: dict[str, Any]) -> requests_pb.PostTrainingRlhfRequest:
    model = asked.model if asked.model.startswith(_FILES) else f"model:{asked.model}"
    return requests_pb.PostTrainingRlhfRequest(
        finetuned_model=Url(uri=model),
        algorithm=config_pb.RLHF_ALGORITHM_DPO,
        algorithm_config=config_pb.DpoAlignmentConfig(reward_scale=0.1, gamma=1.0),
        lora_config=_layout(asked),
        **common,
    )


def _rewards(asked: Settings, common: dict[str, Any]) -> requests_pb.PostTrainingGrpoRequest:
    try:
        reward = json_format.Parse(asked.reward or "", RewardFunction())
    except json_format.ParseError as error:
        raise Failure(f"--reward: {error}", USAGE) from error
    common.pop("validation_dataset")
    return requests_pb.PostTrainingGrpoRequest(
        model=asked.model,
        algorithm_config=config_pb.GrpoAlignmentConfig(reward=reward),
        lora_config=_layout(asked),
        **common,
    )


def _layout(asked: Settings) -> config_pb.LoraFinetuningConfig:
    return config_pb.LoraFinetuningConfig(
        lora_attn_modules=_ATTENTION, apply_lora_to_mlp=True, rank=asked.rank, alpha=asked.alpha
    )


def _dataset(named: str) -> TrainEvalDataset:
    return TrainEvalDataset(content_url=Url(uri=f"dataset:{named}"))
