"""What is refused when it is asked for, with the field and the reason, instead of failing an hour later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from llamastack.common.v1.content_pb2 import Url
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.post_training.v1 import checkpoint_pb2 as checkpoint_pb
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import post_training_pb2 as requests_pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from llamastack.reward_scoring.v1.reward_pb2 import JudgeReward, RegexReward, RewardFunction, UnitTestReward
from mesh.errors import MeshError, from_rpc
from mesh.json_text import value_of
from tests.integration.post_training.service import TEXT, Service, data_url, sft

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
MISSING = grpc.StatusCode.NOT_FOUND


def texts(*columns: str) -> TrainEvalDataset:
    """Return one row of texts."""
    url = Url(uri=data_url([dict.fromkeys(columns, "text")]))
    return TrainEvalDataset(columns=dict.fromkeys(columns, TEXT), content_url=url)


def refused(call: Callable[[], Any]) -> MeshError:
    """Return the error of a call."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return from_rpc(caught.value)  # type: ignore[arg-type]  # a blocking call's error has the same parts


def _offload(request: Any) -> None:
    request.training_config.fsdp_cpu_offload = True


def _sharded_quantized(request: Any) -> None:
    request.training_config.memory_efficient_fsdp_wrap = True
    request.algorithm = config_pb.FINETUNING_ALGORITHM_QLORA


def _sharded_output(request: Any) -> None:
    request.training_config.memory_efficient_fsdp_wrap = True
    request.algorithm_config.apply_lora_to_output = True


def _too_many(request: Any) -> None:
    request.options.num_workers = 2
    request.options.cpus_per_worker = 64


def _gpu(request: Any) -> None:
    request.options.gpus_per_worker = 99


def _odd_batch(request: Any) -> None:
    request.options.gradient_accumulation_steps = 4


def _unknown_module(request: Any) -> None:
    request.algorithm_config.lora_attn_modules[:] = ["q_proj", "nothing"]


def _no_matrix(request: Any) -> None:
    request.algorithm_config.lora_attn_modules[:] = ["q_proj", "input_layernorm"]


def _unknown_experiment(request: Any) -> None:
    request.options.experiment_id = "nothing"


def _unknown_model(request: Any) -> None:
    request.model = "nobody"


def _elsewhere(request: Any) -> None:
    request.model = "elsewhere"


def _foreign_path(request: Any) -> None:
    request.model = "/etc"


def _no_column(request: Any) -> None:
    request.dataset.CopyFrom(TrainEvalDataset(columns={"n": 4}, content_url=Url(uri=data_url([{"n": 1}]))))


def _no_rows(request: Any) -> None:
    request.dataset.content_url.uri = data_url([])


def _unknown_logger(request: Any) -> None:
    request.logger_config["comet"].CopyFrom(value_of(True))


def _absent_logger(request: Any) -> None:
    request.logger_config["wandb"].CopyFrom(value_of({"project": "p"}))


def _unknown_search(request: Any) -> None:
    request.hyperparam_search_config["parameters"].CopyFrom(
        value_of({"optimizer_config.momentum": {"min": 0, "max": 1}})
    )


def _searched(request: Any, path: str, *values: float) -> None:
    request.hyperparam_search_config["parameters"].CopyFrom(value_of({path: {"values": [*values]}}))


def _backward_search(request: Any) -> None:
    request.hyperparam_search_config["parameters"].CopyFrom(value_of({"optimizer_config.lr": {"min": 1, "max": 0}}))


def _rate_below_its_end(request: Any) -> None:
    request.optimizer_config.lr_min = 1e-4
    _searched(request, "optimizer_config.lr", 1e-5)


def _rank_of_nothing(request: Any) -> None:
    _searched(request, "algorithm_config.rank", 0)


def _batch_for_one(request: Any) -> None:
    request.options.num_workers = 2
    _searched(request, "training_config.batch_size", 3)


def _number_of_others(request: Any) -> None:
    _searched(request, "algorithm_config.reward_clip", 1)


def _rank_without_adapters(request: Any) -> None:
    request.algorithm = config_pb.FINETUNING_ALGORITHM_FULL
    _searched(request, "algorithm_config.rank", 4)


def _measured_nowhere(request: Any) -> None:
    _searched(request, "optimizer_config.lr", 1e-3)
    request.hyperparam_search_config["metric"].CopyFrom(value_of("f1"))


def _foreign_tracker(request: Any) -> None:
    request.logger_config["mlflow"].CopyFrom(value_of({"tracking_uri": "http://169.254.169.254/"}))


def _folder_as_tracker(request: Any) -> None:
    request.logger_config["mlflow"].CopyFrom(value_of({"tracking_uri": "file:///etc"}))


def _no_tracker(request: Any) -> None:
    request.logger_config["mlflow"].CopyFrom(value_of(True))


CASES = [
    (_offload, PRECONDITION, "fsdp_cpu_offload needs memory_efficient_fsdp_wrap"),
    (_sharded_quantized, PRECONDITION, "weights in 4 bits can't be sharded"),
    (_sharded_output, PRECONDITION, "an adapter on its output layer can't be sharded"),
    (_too_many, PRECONDITION, "options.cpus_per_worker"),
    (_gpu, PRECONDITION, "options.gpus_per_worker"),
    (_odd_batch, INVALID, "training_config.batch_size: a multiple of 4"),
    (_unknown_module, INVALID, "algorithm_config.lora_attn_modules"),
    (_no_matrix, INVALID, "a linear module of the model; not 'input_layernorm'"),
    (_unknown_experiment, MISSING, "experiment 'nothing' does not exist"),
    (_unknown_model, MISSING, "model does not exist"),
    (_elsewhere, PRECONDITION, "model: the weights of model 'elsewhere'"),
    (_foreign_path, MISSING, "model '/etc' does not exist"),
    (_no_column, INVALID, "dataset.columns"),
    (_no_rows, INVALID, "dataset"),
    (_unknown_logger, INVALID, "logger_config.comet"),
    (_absent_logger, PRECONDITION, "lacks the package wandb"),
    (_unknown_search, INVALID, "hyperparam_search_config.parameters.optimizer_config.momentum"),
    (_backward_search, INVALID, "hyperparam_search_config.parameters.optimizer_config.lr"),
    (
        _rate_below_its_end,
        INVALID,
        "parameters: trial 0 would be refused: optimizer_config: lr_min must not be above lr",
    ),
    (_rank_of_nothing, INVALID, "algorithm_config.rank and algorithm_config.alpha must be above 0"),
    (_batch_for_one, INVALID, "trial 0 would be refused: training_config.batch_size: a multiple of 2"),
    (_number_of_others, INVALID, "parameters.algorithm_config.reward_clip: a number that this request has"),
    (_rank_without_adapters, INVALID, "parameters.algorithm_config.rank: a number that the algorithm uses"),
    (_measured_nowhere, INVALID, "hyperparam_search_config.metric: one of loss, token_accuracy, validation_loss"),
    (_foreign_tracker, INVALID, "logger_config.mlflow.tracking_uri: an http or https URL of a server that is allowed"),
    (_folder_as_tracker, INVALID, "logger_config.mlflow.tracking_uri"),
    (_no_tracker, PRECONDITION, "logger_config.mlflow.tracking_uri: this deployment has no MLflow server of its own"),
]


@pytest.mark.parametrize(("spoil", "code", "says"), CASES, ids=[case[0].__name__.strip("_") for case in CASES])
def test_a_setting_that_cannot_be_honoured_is_refused_at_once(
    service: Service, spoil: Callable[[Any], None], code: grpc.StatusCode, says: str
) -> None:
    request = sft(f"refused-{spoil.__name__}")
    spoil(request)
    error = refused(lambda: service.stub.SupervisedFineTune(request))
    assert error.code is code
    assert says in error.message
    missing = refused(lambda: service.status(request.job_uuid))
    assert missing.code is MISSING


def test_another_request_of_the_same_id_is_refused(service: Service) -> None:
    service.stub.SupervisedFineTune(sft("taken", steps=100_000))
    error = refused(lambda: service.stub.SupervisedFineTune(sft("taken", steps=5)))
    assert error.code is grpc.StatusCode.ALREADY_EXISTS
    service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="taken"))
    assert service.ended("taken").failure == "cancelled by request"


def test_preferences_need_two_answers(service: Service) -> None:
    request = requests_pb.PostTrainingRlhfRequest(
        job_uuid="one-sided",
        finetuned_model=Url(uri="model:base"),
        dataset=texts("prompt", "chosen"),
        validation_dataset=texts("prompt", "chosen"),
        algorithm=config_pb.RLHF_ALGORITHM_DPO,
        algorithm_config=config_pb.DpoAlignmentConfig(reward_scale=0.1, gamma=1.0),
        optimizer_config=sft("x").optimizer_config,
        training_config=sft("x").training_config,
    )
    request.options.assistant_only_loss = False
    error = refused(lambda: service.stub.PreferenceOptimize(request))
    assert (error.code, error.message.partition(":")[0]) == (INVALID, "options.assistant_only_loss")
    request.ClearField("options")
    error = refused(lambda: service.stub.PreferenceOptimize(request))
    assert (error.code, error.message) == (INVALID, "dataset.columns: a column rejected of type dialog or text")


def test_answers_come_in_whole_groups_and_from_a_whole_model(service: Service) -> None:
    request = requests_pb.PostTrainingGrpoRequest(
        job_uuid="groups",
        model="base",
        dataset=texts("prompt"),
        algorithm_config=config_pb.GrpoAlignmentConfig(
            reward=RewardFunction(regex=RegexReward(pattern="a")), num_generations=4
        ),
        optimizer_config=sft("x").optimizer_config,
        training_config=config_pb.TrainingConfig(n_iters=1, batch_size=6, shuffle=True),
    )
    error = refused(lambda: service.stub.ReinforcementFineTune(request))
    assert error.message == "training_config.batch_size: a multiple of num_generations, 4"
    request.training_config.batch_size = 8
    request.training_config.memory_efficient_fsdp_wrap = True
    error = refused(lambda: service.stub.ReinforcementFineTune(request))
    assert (error.code, "can't be sampled from a sharded model" in error.message) == (PRECONDITION, True)


def test_a_reward_that_can_not_be_asked_for_is_refused(service: Service) -> None:
    request = requests_pb.PostTrainingGrpoRequest(
        job_uuid="worthless",
        model="base",
        dataset=texts("prompt"),
        optimizer_config=sft("x").optimizer_config,
        training_config=config_pb.TrainingConfig(n_iters=1, batch_size=8, shuffle=True),
    )
    refusals = []
    for reward in (
        RewardFunction(regex=RegexReward(pattern="(")),
        RewardFunction(judge=JudgeReward(model="nobody", rubric="Be strict.")),
        RewardFunction(unit_test=UnitTestReward()),
    ):
        request.algorithm_config.reward.CopyFrom(reward)
        error = refused(lambda: service.stub.ReinforcementFineTune(request))
        refusals.append((error.code, error.message))
    assert refusals == [
        (INVALID, "algorithm_config.reward: one that can be scored: reward.regex.pattern: a regular expression"),
        (PRECONDITION, "algorithm_config.reward: model 'nobody' does not exist"),
        (INVALID, "dataset.columns: a column reference of type text"),
    ]


def test_unknown_jobs_and_checkpoints_are_not_found(service: Service) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: service.status("nobody"),
        lambda: service.log("nobody"),
        lambda: service.stub.GetJobMetrics(pb.GetPostTrainingJobMetricsRequest(job_uuid="nobody")),
        lambda: service.stub.GetJobArtifacts(pb.GetPostTrainingJobArtifactsRequest(job_uuid="nobody")),
        lambda: service.stub.CancelJob(pb.CancelPostTrainingJobRequest(job_uuid="nobody")),
        lambda: service.stub.ResumeJob(pb.ResumePostTrainingJobRequest(job_uuid="nobody")),
        lambda: service.stub.GetLineage(checkpoint_pb.GetLineageRequest(checkpoint_id="../../x")),
        lambda: service.stub.RegisterCheckpoint(
            checkpoint_pb.RegisterCheckpointRequest(checkpoint_id="0" * 32 + ".01-00000001", model_id="m")
        ),
    ]
    assert [refused(call).code for call in calls] == [MISSING] * len(calls)
